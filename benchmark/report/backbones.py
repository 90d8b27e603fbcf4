"""Whether the order of arms by a Fréchet distance hangs on the network that makes its features."""

import itertools
from collections.abc import Iterable

from benchmark.report.columns import Column
from benchmark.report.grid import Grid
from benchmark.report.lengths import longest
from benchmark.report.orders import order_note
from benchmark.report.statistics import contradictions

_FRECHET = ("fd_", "rfid")


def backbone_notes(grid: Grid, shown: Iterable[Column]) -> list[str]:
    """Of any two Fréchet distances that a table shows the arms whose order differs beyond chance, or that none does."""
    frechet = [own for own in shown if own.name.startswith(_FRECHET)]
    pairs = itertools.combinations(frechet, 2)
    return [note for first, second in pairs if (note := _note(grid, first, second)) is not None]


def _note(grid: Grid, first: Column, second: Column) -> str | None:
    found = {
        grid.title(place): result
        for place in longest(grid)
        if (result := contradictions(grid.by_seed(place, first.name), grid.by_seed(place, second.name))) is not None
    }
    return order_note(f"{first.label} and {second.label}", "network", found) if found else None
