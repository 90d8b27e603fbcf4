"""What finished runs keep for others: weights to start from, and the checkpoint of a shorter training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.records.run import KEY, WEIGHTS, run_key
from benchmark.records.store import CHECKPOINT, Store
from methods.core.usage import UsageError


class Shorter(NamedTuple):
    """A finished run that differs in the number of its ``steps`` alone, and its checkpoint."""

    key: str
    steps: int
    checkpoint: Path


def kept_weights(results: Path, key: str) -> Path:
    """The file with the weights of the run ``key`` in one of the suites of ``results``, else its checkpoint.

    Raises:
        UsageError: no such run ended well and kept one.
    """
    for folder, _ in _finished(results, key):
        for name in (WEIGHTS, CHECKPOINT):
            if (folder / name).is_file():
                return folder / name
    raise UsageError(
        f"no run {key} in {results} has kept its weights; `training: {{keep: weights}}` in its suite keeps them"
    )


def longest_shorter(results: Path, config: dict[str, Any]) -> Shorter | None:
    """Of the runs that kept a checkpoint and differ from ``config`` in fewer ``training.steps`` alone, the longest."""
    steps, name = config["training"]["steps"], run_key(config).rsplit("-", 1)[0]
    found = []
    for folder, record in _finished(results, f"{name}-*"):
        fewer = record["config"]["training"].get("steps")
        same = record["config"] == {**config, "training": {**config["training"], "steps": fewer}}
        if same and fewer is not None and 0 < fewer < steps and (folder / CHECKPOINT).is_file():
            found.append(Shorter(folder.name, fewer, folder / CHECKPOINT))
    return max(found, key=lambda shorter: shorter.steps, default=None)


def _finished(results: Path, keys: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folders and whole records of the runs by a pattern of ``keys`` that ended well."""
    for folder in sorted(results.glob(f"*/runs/{keys}")):
        if KEY.fullmatch(folder.name) and not folder.is_symlink():
            record = Store(folder.parents[1], read_only=True).record(folder.name)
            if record is not None and record["status"] == "ok":
                yield folder, record
