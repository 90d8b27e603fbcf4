"""Quantities along an axis of numbers, a panel each; elsewhere dots, a row an arm."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.columns import PRICE, Column
from benchmark.report.grid import Grid
from benchmark.report.places import CODEBOOK_SIZE, Place
from benchmark.report.plots.base import (
    BAND_ALPHA,
    PANELS_A_ROW,
    Plot,
    arm_handles,
    ceiling,
    ceiling_handle,
    clipped,
    dodged,
    grid_axis,
    legend,
    panels,
    position,
    scale,
    set_title,
    wrapped,
)
from benchmark.report.plots.dots import dots
from benchmark.report.quantities import Choice
from benchmark.report.style import CEILING, Style

DODGE = 0.035
"""Arms stand apart by this part of an octave, or of the distance between values, so that none hides another."""


class BySize(Plot):
    """One panel a quantity, one line an arm, bands of Student-t intervals."""

    def __init__(self, name: str, choose: Choice) -> None:
        self.name = name
        self._choose = choose

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where none of the quantities was measured."""
        columns = self._choose(grid.results)
        if not columns:
            return None
        if len(grid.places) == 1 or not grid.x.numeric:  # words have no order that a line could follow
            return dots(columns, grid, styles)
        return lines(columns, grid, styles)


Overlay = Callable[[Axes, Column, list[Place]], None]
"""Draws into a panel what belongs there beside the curves."""


def lines(
    columns: list[Column],
    grid: Grid,
    styles: dict[str, Style],
    overlay: Overlay = lambda axis, column, places: None,
    handles: Sequence[Line2D] = (),
) -> Figure:
    """A panel a quantity; where the grid has further axes, a row of panels for each combination of them.

    ``handles`` are added to the legend for what ``overlay`` draws.
    """
    along = grid.lines()
    shape = wrapped(len(columns), PANELS_A_ROW) if len(along) == 1 else (len(along), len(columns))
    figure, rows = panels(*shape, width=3.3, height=2.8)
    axes = [axis for row in rows for axis in row]
    shown: set[str] = set()
    bounded = False
    for number, (line, places) in enumerate(along):
        for axis, column in zip(axes[number * len(columns) :], columns, strict=False):
            shown |= _curves(axis, column, grid, places, styles)
            bounded |= _ceiling(axis, column, grid, places)
            overlay(axis, column, places)
            grid_axis(axis, grid.x)
            set_title(axis, " · ".join(filter(None, [column.heading, line])))
    for axis in axes[len(columns) * len(along) :]:
        axis.remove()
    arms = arm_handles([arm for arm in grid.arms if arm in shown], styles, rules=_rules(grid))
    legend(figure, [*arms, *([ceiling_handle("ceiling")] if bounded else []), *handles])
    return figure


def _rules(grid: Grid) -> list[str]:
    """Arms drawn as a line across, because one run serves all of a line."""
    return grid.size_free if grid.x.name == CODEBOOK_SIZE else []


def _curves(axis: Axes, column: Column, grid: Grid, places: list[Place], styles: dict[str, Style]) -> set[str]:
    """Draw one panel; the arms that are in it. A line breaks at a place where its arm has no run."""
    shown, everything = set(), []
    for arm in grid.arms:
        intervals = [grid.interval(arm, place, column.name) for place in places]
        means = np.array([i.mean if i else np.nan for i in intervals]) * column.scale
        found = means[np.isfinite(means)]
        if not len(found):
            continue
        shown.add(arm)
        everything += found.tolist()
        style = styles[arm]
        if arm in _rules(grid):
            axis.axhline(found[0], color=style.colour, linestyle=style.line, linewidth=1.4)
            continue
        half = np.array([(i.half_width if i else None) or 0.0 for i in intervals]) * column.scale
        band = clipped(column, means - half, means + half, means)
        x = [place_of(grid, arm, place) for place in places]
        axis.plot(x, means, **style.curve())
        axis.fill_between(x, *band, color=style.colour, alpha=BAND_ALPHA, lw=0)
    _scale(axis, column, everything)
    return shown


def place_of(grid: Grid, arm: str, place: Place) -> float:
    """Where a point of ``arm`` is drawn along the horizontal axis: a little beside the place, so that none hides."""
    share = min(DODGE, 0.6 / len(grid.arms)) * (grid.arms.index(arm) - (len(grid.arms) - 1) / 2)
    return dodged(grid.x, position(grid.x, grid.coordinate(place)), share)


def _scale(axis: Axes, column: Column, values: Sequence[float]) -> None:
    if column.percent:
        axis.set_ylim(-3, 104)
    elif not scale(axis.yaxis, values) and column.name in PRICE:
        axis.set_ylim(0, 1.04 * axis.get_ylim()[1])  # a few megabytes more are no peak


def _ceiling(axis: Axes, column: Column, grid: Grid, places: list[Place]) -> bool:
    """Draw what a uniform source would reach, of usage and of perplexity."""
    found = [(place, bound) for place in places if (bound := ceiling(column, grid, place)) is not None]
    if found:
        x = [position(grid.x, grid.coordinate(place)) for place, _ in found]
        axis.plot(x, [bound for _, bound in found], **CEILING)
    return bool(found)
