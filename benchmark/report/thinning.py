"""Thins a folder of results: samples stay where a plot shows them; the records of the other runs say what is gone."""

from pathlib import Path
from typing import NamedTuple

from benchmark.records.store import Store
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.plots.base import last_runs

SAMPLES = ("samples.png", "samples")
"""A picture of them, and a folder with sounds."""


class Thinned(NamedTuple):
    """``keys``: runs whose samples were removed, ``size`` bytes in all; ``problems``: one sentence a run left alone."""

    keys: list[str]
    size: int
    problems: list[str]


def thin_samples(folder: Path) -> Thinned:
    """Remove the samples of all runs in ``folder`` but those that plots show: an arm's lowest seed at the largest size.

    A run that is not whole, or has no record yet, keeps what it has.

    Raises:
        UsageError: there is no plan in ``folder``, or nothing can be written.
    """
    shown = {key for _, _, key in last_runs(Grid(read(folder)))}
    store = Store(folder)
    found = {path.name: _samples(path) for path in sorted((folder / "runs").iterdir()) if path.name not in shown}
    records, problems = store.survey(key for key, samples in found.items() if samples)
    size = sum(_size(path) for key in records for path in found[key])
    for key, record in records.items():
        store.thin(key, record, [path.name for path in found[key]])
    return Thinned(list(records), size, problems)


def _samples(run: Path) -> list[Path]:
    return [run / name for name in SAMPLES if (run / name).exists()]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]))
