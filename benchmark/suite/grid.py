"""The axes of a suite's grid beside the codebook size: their points, and what a point sets."""

import itertools
import math
from typing import Any

from benchmark.records.settings import Training
from benchmark.suite.schema import Grid, SuiteFile
from methods.core.usage import UsageError, did_you_mean

MOST_CELLS = 50_000
SECTIONS = ("dataset", "model", "objective", "training")
Point = dict[str, Any]
"""A value for every axis but the codebook size."""


def check_axis(name: str, values: Any, file: SuiteFile) -> None:
    """Raise a `UsageError` unless an axis is the codebook size or a dotted key, with different plain values."""
    if name != "codebook_size":
        _check_name(name, file)
    if not isinstance(values, list) or not values or not all(isinstance(v, int | float | str) for v in values):
        raise UsageError(f"the axis `{name}` must be a list of numbers or words, not {values!r}")
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            label = "codebook size" if name == "codebook_size" else name
            raise UsageError(f"{label} {value} stands there twice")
        seen.add(value)


def _check_name(name: str, file: SuiteFile) -> None:
    section, dot, option = name.partition(".")
    if section not in SECTIONS or not dot or not option.isidentifier():
        known = ", ".join(f"`{known}.…`" for known in SECTIONS)
        hint = did_you_mean(name, ["codebook_size"])
        raise UsageError(f"an axis of the grid is `codebook_size` or one of {known}, not `{name}`{hint}")
    if section == "training" and option not in Training.model_fields:
        raise UsageError(f"unknown training key `{option}`{did_you_mean(option, Training.model_fields)}")
    chosen = getattr(file, section)
    if option in (chosen.model_fields_set if section == "training" else chosen.options):
        raise UsageError(f"`{name}` is an axis of the grid and set besides; `--set grid.{name}=[...]` sets the axis")


def check_number(file: SuiteFile) -> None:
    """Raise a `UsageError` where a suite has more cells than could be listed soon, let alone trained."""
    places = math.prod(map(len, [file.grid.codebook_size, *file.grid.axes.values()]))
    cells = places * file.seeds * len(file.methods)
    if cells > MOST_CELLS:
        raise UsageError(
            f"{places:,} places of the grid, {file.seeds:,} seeds and {len(file.methods):,} arms make {cells:,} runs, "
            f"more than {MOST_CELLS:,}; divide them among several suites"
        )


def points(grid: Grid) -> list[Point]:
    """All points of the grid, the last axis fastest; one empty point where there is no axis."""
    return [dict(zip(grid.axes, values, strict=True)) for values in itertools.product(*grid.axes.values())]


def options_at(section: str, point: Point) -> dict[str, Any]:
    """What ``point`` sets in ``section``."""
    return {name.partition(".")[2]: value for name, value in point.items() if name.partition(".")[0] == section}
