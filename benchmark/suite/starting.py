"""Arms whose training starts from weights that are there: of a finished run by its key, or of a file by its content."""

import os
from pathlib import Path

from benchmark.pretrained.weights import find_weights
from benchmark.records.kept import kept_weights
from benchmark.records.run import KEY, Run
from benchmark.records.store import Store
from benchmark.suite.cell import NoWeightsError
from benchmark.suite.released import SIZE, content, file_named, named_by
from benchmark.suite.schema import Arm
from methods.core.usage import UsageError

SEED = "{seed}"
_A_KEY = "simvq-K1024-s0-1a2b3c4d"


def start_of(arm: Arm, codebook_size: int, seed: int) -> tuple[str | None, dict[str, dict[str, str]]]:
    """What ``arm`` names at a place, and what of it belongs in a run's configuration; nothing where it names nothing.

    Raises:
        NoWeightsError: there is no such file, or it holds no weights.
    """
    if arm.init_from is None:
        return None, {}
    if KEY.fullmatch(arm.init_from):
        return arm.init_from, {"init_from": {"run": arm.init_from}}
    path = file_named(arm.init_from.replace(SIZE, str(codebook_size)).replace(SEED, str(seed)))
    if not os.path.isfile(path):
        raise NoWeightsError(
            f"`init_from` of arm `{arm.arm}` names {path}, which is no file and no key of a run ({_A_KEY})"
        )
    with named_by(arm, "init_from"):
        find_weights(path)
    return str(path.resolve()), {"init_from": {"sha256": content(path)}}


def check_start(arm: Arm) -> None:
    """UsageError where an arm names weights to start from and is not trained, or names nothing."""
    if arm.init_from is not None and not arm.init_from.strip():
        raise UsageError(
            f"`init_from` of arm `{arm.arm}` is empty; name a file of weights or the key of a run ({_A_KEY}), or leave "
            "it out"
        )
    if arm.pretrained is not None and not arm.pretrained.strip():
        raise UsageError(f"`pretrained` of arm `{arm.arm}` is empty; name the file of a checkpoint, or leave it out")
    if arm.init_from is not None and arm.pretrained is not None:
        raise UsageError(f"arm `{arm.arm}` has `pretrained` and is not trained; leave out its `init_from`")


def check_kept(run: Run, arm: Arm, folder: Path) -> None:
    """`NoWeightsError` where ``run`` is yet to be done in the ``folder`` of a suite and the run it starts from has kept
    nothing there or in a suite beside it.
    """
    named = run.config.get("init_from", {})
    if "run" in named and Store(folder, read_only=True).record(run.key) is None:
        with named_by(arm, "init_from"):
            kept_weights(folder.resolve().parent, named["run"])
