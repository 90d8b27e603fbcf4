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
    LEAST_RUNS,
    PANELS_A_ROW,
    RUN,
    Plot,
    arm_handles,
    ceiling,
    ceiling_handle,
    clipped,
    dodged,
    grid_axis,
    panels,
    position,
    run_handle,
    set_title,
    wrapped,
)
from benchmark.report.plots.direct import Point, name_curves, tall_enough
from benchmark.report.plots.dots import dots
from benchmark.report.plots.far import is_far
from benchmark.report.plots.rules import draw_rules
from benchmark.report.plots.scales import scale
from benchmark.report.quantities import Choice
from benchmark.report.style import CEILING, Style

DODGE = 0.035
"""Arms stand apart by this part of an octave, or of the distance between values, so that none hides another."""


class BySize(Plot):
    """One panel a quantity, one line an arm; Student-t intervals as bands, or as bars where some places have none.

    Of two runs both are shown, as dots.
    """

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
    figure, rows = panels(*shape, width=3.3, height=tall_enough(2.8, styles))
    axes = [axis for row in rows for axis in row]
    ends: dict[Axes, dict[str, Point]] = {}
    bounded = False
    coded, yardsticks = _curved(grid)
    # At all places, so that the panels of a quantity have one kind of scale.
    means = {column.name: _means(grid, column, coded, grid.places) for column in columns}
    for number, (line, places) in enumerate(along):
        for axis, column in zip(axes[number * len(columns) :], columns, strict=False):
            ends[axis] = _curves(axis, column, grid, places, styles, coded)
            _scale(axis, column, means[column.name])
            bounded |= _ceiling(axis, column, grid, places)
            overlay(axis, column, places)
            grid_axis(axis, grid.x)
            beside = {arm: _means(grid, column, [arm], places) for arm in yardsticks}
            beyond = {arm: own for arm, own in beside.items() if any(is_far(mean, means[column.name]) for mean in own)}
            near = [arm for arm in yardsticks if arm not in beyond]
            ends[axis] |= _curves(axis, column, grid, places, styles, near)
            drawn = draw_rules(axis, _across(grid, column, places), means[column.name], column, styles, beyond)
            ends[axis] |= {arm: (axis.get_xlim()[1], mean) for arm, mean in drawn.items()}
            set_title(axis, " · ".join(filter(None, [column.heading, line])))
    for axis in axes[len(columns) * len(along) :]:
        axis.remove()
    shown = {arm for points in ends.values() for arm in points}
    arms = arm_handles([arm for arm in grid.arms if arm in shown], styles, rules=_rules(grid))
    pairs = [run_handle()] if any(_pairs(grid, column, places) for column in columns for _, places in along) else []
    others = [*([ceiling_handle("ceiling")] if bounded else []), *pairs, *handles]
    name_curves(figure, ends, arms, styles, others)
    return figure


def _means(grid: Grid, column: Column, arms: list[str], places: list[Place]) -> list[float]:
    """Those that were measured, as printed."""
    found = (grid.interval(arm, place, column.name) for arm in arms for place in places)
    return [float(interval.mean * column.scale) for interval in found if interval and np.isfinite(interval.mean)]


def _pairs(grid: Grid, column: Column, places: list[Place]) -> bool:
    """Whether any cell has several runs, but too few for an interval."""
    found = (grid.interval(arm, place, column.name) for arm in grid.arms for place in places)
    return any(1 < interval.n < LEAST_RUNS for interval in found if interval)


def _rules(grid: Grid) -> list[str]:
    """Arms drawn as a line across, because one run serves all of a line."""
    return grid.size_free if grid.x.name == CODEBOOK_SIZE else []


def _curved(grid: Grid) -> tuple[list[str], list[str]]:
    """The others, drawn as curves: those that a panel is as high as (all, if all are yardsticks), and yardsticks."""
    curved = [arm for arm in grid.arms if arm not in _rules(grid)]
    coded = [arm for arm in curved if arm in grid.coded] or curved
    return coded, [arm for arm in curved if arm not in coded]


def _across(grid: Grid, column: Column, places: list[Place]) -> list[tuple[str, float]]:
    """The arms drawn as a line across, with their mean where it was measured first."""
    return [(arm, mean) for arm in _rules(grid) for mean in _means(grid, column, [arm], places)[:1]]


def _curves(
    axis: Axes, column: Column, grid: Grid, places: list[Place], styles: dict[str, Style], arms: list[str]
) -> dict[str, Point]:
    """Draw ``arms`` into one panel; where they end. A line breaks at a place where its arm has no run."""
    ends: dict[str, Point] = {}
    for arm in arms:
        intervals = [grid.interval(arm, place, column.name) for place in places]
        means = np.array([i.mean if i else np.nan for i in intervals]) * column.scale
        found = means[np.isfinite(means)]
        if not len(found):
            continue
        style = styles[arm]
        x = np.array([place_of(grid, arm, place) for place in places])
        ends[arm] = (float(x[np.isfinite(means)][-1]), float(found[-1]))
        half = np.array([i.half_width if i and i.n >= LEAST_RUNS else np.nan for i in intervals], dtype=float)
        band = clipped(column, means - half * column.scale, means + half * column.scale, means)
        axis.plot(x, means, **style.curve())
        if np.isfinite(half[np.isfinite(means)]).all():
            axis.fill_between(x, *band, color=style.colour, alpha=BAND_ALPHA, lw=0)
        else:  # a band would narrow towards places where nothing is known
            axis.vlines(x, *band, color=style.colour, alpha=4 * BAND_ALPHA, linewidth=1.2)
        for at, place, interval in zip(x, places, intervals, strict=True):
            if interval and 1 < interval.n < LEAST_RUNS:
                runs = grid.values(arm, place, column.name) * column.scale
                axis.plot([at] * len(runs), runs, color=style.colour, **RUN)
    return ends


def place_of(grid: Grid, arm: str, place: Place) -> float:
    """Where a point of ``arm`` is drawn along the horizontal axis: a little beside the place, so that none hides."""
    share = min(DODGE, 0.6 / len(grid.arms)) * (grid.arms.index(arm) - (len(grid.arms) - 1) / 2)
    return dodged(grid.x, position(grid.x, grid.coordinate(place)), share)


def _scale(axis: Axes, column: Column, values: Sequence[float]) -> None:
    if column.percent and not column.direction:  # a share of the codebook, with its ceiling
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
