"""Arms that are not trained: the published checkpoint that one evaluates at a codebook size, known by its content."""

from functools import cache
from pathlib import Path
from typing import Any

from benchmark.pretrained.families import family_of
from benchmark.records.files import checksum
from benchmark.suite.schema import Arm, SuiteFile
from methods.core.usage import UsageError

SIZE = "{codebook_size}"


def checkpoint_of(arm: Arm, codebook_size: int) -> Path | None:
    """The file of ``arm`` at a codebook size; None for an arm that is trained.

    Raises:
        UsageError: there is no such file.
    """
    if arm.pretrained is None:
        return None
    path = Path(arm.pretrained.replace(SIZE, str(codebook_size))).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no checkpoint {path}, which `pretrained` of arm `{arm.arm}` names")
    return path


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
