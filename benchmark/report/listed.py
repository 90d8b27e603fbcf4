"""Columns of numbers without an interval: the learning rate an arm was trained with, and its usage a level."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from benchmark.report.columns import NO_VALUE
from benchmark.report.grid import Grid
from benchmark.report.places import Place

_RATE = "training.learning_rate"


@dataclass(frozen=True)
class Listed:
    """A column whose cells hold one number or several; ``values``: those of an arm at a place, as stored."""

    name: str
    label: str
    heading: str
    description: str
    scale: float
    values: Callable[[Grid, str, Place], list[float]]

    def text(self, grid: Grid, arm: str, place: Place) -> str:
        """The numbers with three digits; a dash where there are none."""
        return " · ".join(f"{value * self.scale:.3g}" for value in self.values(grid, arm, place)) or NO_VALUE

    def plain(self, grid: Grid, arm: str, place: Place) -> str:
        """The numbers as stored, for a table of plain numbers."""
        return " ".join(f"{value:.6g}" for value in self.values(grid, arm, place))


def rate_columns(grid: Grid) -> list[Listed]:
    """The learning rate, unless it is an axis of the grid and so stands in the headings."""
    return [] if any(axis.name == _RATE for axis in grid.axes) else [_LEARNING_RATE]


def level_columns(grid: Grid) -> list[Listed]:
    """The usage of each level, where some arm has several."""
    return [_USAGE_LEVELS] if grid.results.has("usage_level_2") else []


def _rate(grid: Grid, arm: str, place: Place) -> list[float]:
    rate = grid.learning_rate(arm, place)
    return [] if rate is None else [rate]


def _usage_levels(grid: Grid, arm: str, place: Place) -> list[float]:
    found = (grid.interval(arm, place, f"usage_level_{level}") for level in itertools.count(1))
    return [interval.mean for interval in itertools.takewhile(lambda interval: interval is not None, found) if interval]


_LEARNING_RATE = Listed("learning_rate", "Rate", "Rate", "learning rate the arm was trained with", 1.0, _rate)
_USAGE_LEVELS = Listed(
    "usage_levels",
    "Usage a level",
    "Usage a level, %",
    "of arms with several levels, the share of each level's codewords hit at least once on the whole test set",
    100.0,
    _usage_levels,
)
