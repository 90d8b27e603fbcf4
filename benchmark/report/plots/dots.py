"""Quantities by arm: a row an arm, dots with the seeds around them, for a single place or places without an order."""

from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.columns import Column
from benchmark.report.families import place_of
from benchmark.report.grid import Grid
from benchmark.report.places import Place
from benchmark.report.plots.base import (
    LEAST_RUNS,
    PANELS_A_ROW,
    RUN,
    ceiling,
    clipped,
    panels,
    set_title,
    wrapped,
)
from benchmark.report.plots.direct import family_legend
from benchmark.report.plots.far import TOLD_SIZE, Extent, far_away
from benchmark.report.plots.page import page_width
from benchmark.report.plots.scales import scale
from benchmark.report.style import CEILING, Style

_NARROW = 14
"""Letters below a panel of a paper's column, half of which has the names."""


@dataclass(frozen=True)
class _Dot:
    """An arm at a place, in the printed scale."""

    mean: float
    interval: tuple[float, float] | None
    runs: np.ndarray

    def extent(self) -> Extent:
        drawn = [self.mean, *(self.interval or ()), *self.runs]
        return Extent(min(drawn), self.mean, max(drawn))


class _Row:
    """A quantity at all places: its dots, and those that are too far from the others to be drawn."""

    def __init__(self, column: Column, grid: Grid, arms: list[str]) -> None:
        self.column = column
        found = {(arm, place): _dot(column, grid, arm, place) for arm in arms for place in grid.places}
        self.dots = {cell: dot for cell, dot in found.items() if dot}
        self.far = {} if self._is_bounded(grid) else far_away({cell: dot.extent() for cell, dot in self.dots.items()})

    def _is_bounded(self, grid: Grid) -> bool:
        """Whether the axis reaches to its bound, wherever the arms lie."""
        return self.column.percent or any(ceiling(self.column, grid, place) is not None for place in grid.places)

    def told(self, dot: _Dot, side: int) -> str:
        """What stands at the edge instead of ``dot``."""
        number = self.column.number(dot.mean / self.column.scale)
        return f"← {number}" if side < 0 else f"{number} →"


def dots(columns: list[Column], grid: Grid, styles: dict[str, Style]) -> Figure:
    """A panel a quantity; where there are several places, a row of panels a quantity and a column a place.

    Arms in the colours of families stand by family. What few arms have far from all others is told at the edge.
    """
    arms = [arm for arm in grid.arms if any(len(grid.ok(arm, place)) for place in grid.places)]
    arms = sorted(arms, key=lambda arm: place_of(family) if (family := styles[arm].family) else 0)
    single = len(grid.places) == 1
    shape = wrapped(len(columns), PANELS_A_ROW) if single else (len(columns), len(grid.places))
    height = 0.8 + (0.26 if len(arms) < 16 else 0.2) * len(arms)
    figure, rows = panels(*shape, width=2.9, height=height, sharey=True, sharex=False if single else "row")
    axes = [axis for row in rows for axis in row]
    bounded = False
    quantities = [_Row(column, grid, arms) for column in columns]
    cells = [(row, place) for row in quantities for place in grid.places]
    for axis, (row, place) in zip(axes, cells, strict=False):
        _panel(axis, arms, place, row, styles)
        bounded |= _bound(axis, ceiling(row.column, grid, place))
        _scale(axis, row)
        if not single:
            set_title(axis, grid.title(place))
    for axis in axes[len(cells) :]:
        axis.remove()
    axes[0].set_yticks(range(len(arms)), [styles[arm].label(arm) for arm in arms])
    axes[0].set_ylim(len(arms) - 0.5, -0.5)
    for left, *_ in rows:
        for label, arm in zip(left.get_yticklabels(), arms, strict=True):
            label.set_color(styles[arm].colour if styles[arm].family else "black")
    size = [f"Codebook size {grid.sizes[0]:,}"] if len(grid.sizes) == 1 else []
    several = ["small dots are single runs"] if grid.most_seeds > 1 else []
    far = ["far away: value at the edge"] if any(row.far for row in quantities) else []
    said = [*size, *several, *(["dotted: ceiling"] if bounded else []), *far]
    figure.suptitle(("\n" if page_width() else "; ").join(said), fontsize=9)
    family_legend(figure, arms, styles)
    return figure


def _dot(column: Column, grid: Grid, arm: str, place: Place) -> _Dot | None:
    interval = grid.interval(arm, place, column.name)
    if interval is None:
        return None
    runs = grid.values(arm, place, column.name) * column.scale
    mean = float(interval.mean * column.scale)
    if interval.half_width is None or interval.n < LEAST_RUNS:
        return _Dot(mean, None, runs)
    half = interval.half_width * column.scale
    low, high = clipped(column, np.array([mean - half]), np.array([mean + half]), np.array([mean]))
    return _Dot(mean, (float(low[0]), float(high[0])), runs)


def _panel(axis: Axes, arms: list[str], place: Place, row: _Row, styles: dict[str, Style]) -> None:
    across = axis.get_yaxis_transform()
    for height, arm in enumerate(arms):
        dot, colour = row.dots.get((arm, place)), styles[arm].colour
        if dot is None:
            axis.text(0.5, height, "–", transform=across, ha="center", va="center", color="#666666")
        elif side := row.far.get((arm, place)):
            told: dict[str, Any] = {
                "ha": "left" if side < 0 else "right",
                "va": "center",
                "fontsize": TOLD_SIZE,
                "color": colour,
            }
            axis.text(0.02 if side < 0 else 0.98, height, row.told(dot, side), transform=across, **told)
        else:
            _draw(axis, height, dot, styles[arm])


def _draw(axis: Axes, height: int, dot: _Dot, style: Style) -> None:
    if dot.interval:
        axis.plot(dot.interval, [height] * 2, color=style.colour, linewidth=1.6, solid_capstyle="butt")
    if len(dot.runs) > 1:
        axis.plot(dot.runs, [height] * len(dot.runs), color=style.colour, **RUN)
    axis.plot(dot.mean, height, linestyle="none", **style.point())


def _bound(axis: Axes, bound: float | None) -> bool:
    if bound is not None:
        axis.axvline(bound, **CEILING)
    return bound is not None


def _scale(axis: Axes, row: _Row) -> None:
    """The same for a quantity at every place, so that panels in a row can be compared."""
    heading = row.column.heading
    axis.set_xlabel(fill(heading, _NARROW, break_long_words=False) if page_width() else heading)
    if row.column.percent:
        axis.set_xlim(-3, 104)
    else:
        scale(axis.xaxis, [dot.mean for cell, dot in row.dots.items() if cell not in row.far])
