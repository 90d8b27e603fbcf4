"""Arms that are not trained: the published checkpoint that one evaluates at a codebook size, known by its content."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.pretrained.families import family_of
from benchmark.pretrained.unpickling import read_archive
from benchmark.records.files import checksum
from benchmark.suite.cell import NoWeightsError
from benchmark.suite.schema import Arm, SuiteFile
from methods.core.usage import UsageError

SIZE = "{codebook_size}"


def checkpoint_of(arm: Arm, codebook_size: int) -> Path | None:
    """The file of ``arm`` at a codebook size; None for an arm that is trained.

    Raises:
        NoWeightsError: there is no such file, or it is no checkpoint of PyTorch's.
    """
    if arm.pretrained is None:
        return None
    path = file_named(arm.pretrained.replace(SIZE, str(codebook_size)))
    if not os.path.isfile(path):
        raise NoWeightsError(f"there is no checkpoint {path}, which `pretrained` of arm `{arm.arm}` names")
    with named_by(arm, "pretrained"):
        read_archive(path)
    return path


def file_named(text: str) -> Path:
    """The file that a person called ``text``; also of what can be none, as a name that is too long."""
    return Path(os.path.expanduser(text))


@contextmanager
def named_by(arm: Arm, option: str) -> Iterator[None]:
    """What is wrong with a file within it is a `NoWeightsError` that says who names it."""
    try:
        yield
    except UsageError as error:
        raise NoWeightsError(f"`{option}` of arm `{arm.arm}`: {error}") from error


def check_family(arm: Arm, file: SuiteFile) -> None:
    """UsageError where no checkpoints are read into the model and the method of an arm that names one."""
    if arm.pretrained is None:
        return
    family_of(file.model.name, arm.method)
    if arm.training:
        raise UsageError(f"arm `{arm.arm}` is read from a checkpoint and not trained; leave out its `training`")


def content(path: Path) -> str:
    """SHA-256 of a checkpoint, which may have gigabytes: computed once as long as the file stays as it is."""
    state = path.stat()
    return _checksum(path, state.st_size, state.st_mtime_ns)


@cache
def _checksum(path: Path, _size: int, _changed: int) -> str:
    return checksum(path)


def untrained(training: dict[str, Any]) -> dict[str, Any]:
    """What of the training settings matters to a model that is only evaluated."""
    return {"steps": 0, "precision": training["precision"]}


def all_released(methods: object) -> bool:
    """Whether every arm, as the file has them, names a checkpoint."""
    arms = methods if isinstance(methods, list) else []
    return bool(arms) and all(isinstance(arm, dict) and arm.get("pretrained") for arm in arms)
