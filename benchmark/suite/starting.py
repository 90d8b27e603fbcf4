"""Arms whose training starts from weights that are there: of a finished run by its key, or of a file by its content."""

from pathlib import Path

from benchmark.records.run import KEY
from benchmark.suite.released import SIZE, content
from benchmark.suite.schema import Arm
from methods.core.usage import UsageError

SEED = "{seed}"


def start_of(arm: Arm, codebook_size: int, seed: int) -> tuple[str | None, dict[str, dict[str, str]]]:
    """What ``arm`` names at a place, and what of it belongs in a run's configuration; nothing where it names nothing.

    Raises:
        UsageError: there is no such file.
    """
    if arm.init_from is None:
        return None, {}
    if KEY.fullmatch(arm.init_from):
        return arm.init_from, {"init_from": {"run": arm.init_from}}
    path = Path(arm.init_from.replace(SIZE, str(codebook_size)).replace(SEED, str(seed))).expanduser()
    if not path.is_file():
        raise UsageError(
            f"`init_from` of arm `{arm.arm}` names {path}, which is no file and no key of a run "
            "(simvq-K1024-s0-1a2b3c4d)"
        )
    return str(path.resolve()), {"init_from": {"sha256": content(path)}}


def check_start(arm: Arm) -> None:
    """UsageError where an arm names weights to start from and is not trained."""
    if arm.init_from is not None and arm.pretrained is not None:
        raise UsageError(f"arm `{arm.arm}` has `pretrained` and is not trained; leave out its `init_from`")
