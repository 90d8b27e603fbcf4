"""Quantities along an axis of the grid, a panel each; at a single place, dots with the seeds around them."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.columns import Column
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.places import CODEBOOK_SIZE, Place
from benchmark.report.plots.base import (
    BAND_ALPHA,
    Plot,
    arm_handles,
    ceiling_handle,
    dodged,
    grid_axis,
    is_wide,
    legend,
    panels,
    position,
    wrapped,
)
from benchmark.report.quantities import Choice
from benchmark.report.style import CEILING, Style

PANELS_A_ROW = 4
DODGE = 0.035
"""Arms stand apart by this part of an octave, or of the distance between values, so that none hides another."""


class BySize(Plot):
    """One panel a quantity, one line an arm, bands of Student-t intervals."""

    def __init__(self, name: str, choose: Choice) -> None:
        self.name = name
        self._choose = choose

    def draw(self, results: Results, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where none of the quantities was measured."""
        columns = self._choose(results)
        if not columns:
            return None
        if len(grid.places) == 1:
            return _dots(columns, grid, styles)
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
            axis.set_title(" · ".join(filter(None, [column.heading, line])))
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
        band = _clipped(column, means - half, means + half, means)
        x = [place_of(grid, arm, place) for place in places]
        # Words have no order that a line could follow.
        axis.plot(x, means, **(style.curve() if grid.x.numeric else {**style.point(), "linestyle": "none"}))
        if grid.x.numeric:
            axis.fill_between(x, *band, color=style.colour, alpha=BAND_ALPHA, lw=0)
        else:
            axis.vlines(x, *band, color=style.colour, alpha=0.6, lw=1.2)
    _scale(axis, column, everything)
    return shown


def place_of(grid: Grid, arm: str, place: Place) -> float:
    """Where a point of ``arm`` is drawn along the horizontal axis: a little beside the place, so that none hides."""
    share = DODGE * (grid.arms.index(arm) - (len(grid.arms) - 1) / 2)
    return dodged(grid.x, position(grid.x, grid.coordinate(place)), share)


def _clipped(column: Column, low: np.ndarray, high: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A band within what the quantity can be; a logarithmic axis needs a positive lower end."""
    if column.percent:
        return low.clip(0, 100), high.clip(0, 100)
    return np.where(means > 0, low.clip(min=np.abs(means) * 0.05), low), high


def _scale(axis: Axes, column: Column, values: Sequence[float]) -> None:
    if column.percent:
        axis.set_ylim(-3, 104)
    elif is_wide(values):
        axis.set_yscale("log")


def _ceiling(axis: Axes, column: Column, grid: Grid, places: list[Place]) -> bool:
    """Draw what a uniform source would reach, of usage and of perplexity."""
    found = [(place, bound) for place in places if (bound := ceiling(column, grid, place)) is not None]
    if found:
        x = [position(grid.x, grid.coordinate(place)) for place, _ in found]
        axis.plot(x, [bound for _, bound in found], **CEILING)
    return bool(found)


def ceiling(column: Column, grid: Grid, place: Place) -> float | None:
    """Usage: 1 - (1 - 1/K)^N, as recorded. Perplexity: the smaller of K and N. Of others: none."""
    if column.name == "usage":
        recorded = grid.shared(place, "ceiling")
        return None if recorded is None else recorded * column.scale
    if column.name == "perplexity":
        tokens = grid.shared(place, "tokens")
        return float(place.size) if tokens is None else min(float(place.size), tokens)
    return None


def _dots(columns: list[Column], grid: Grid, styles: dict[str, Style]) -> Figure:
    place = grid.places[0]
    arms = [arm for arm in grid.arms if len(grid.ok(arm, place))]
    figure, rows = panels(*wrapped(len(columns), PANELS_A_ROW), width=2.9, height=0.8 + 0.26 * len(arms), sharey=True)
    axes = [axis for row in rows for axis in row]
    bounded = False
    for axis, column in zip(axes, columns, strict=False):
        bounded |= _dot_panel(axis, column, grid, arms, styles)
    for axis in axes[len(columns) :]:
        axis.remove()
    axes[0].set_yticks(range(len(arms)), arms)
    axes[0].set_ylim(len(arms) - 0.5, -0.5)
    figure.suptitle(
        f"Codebook size {place.size:,}; small dots are single runs" + ("; dotted: ceiling" if bounded else ""),
        fontsize=9,
    )
    return figure


def _dot_panel(axis: Axes, column: Column, grid: Grid, arms: list[str], styles: dict[str, Style]) -> bool:
    place, everything = grid.places[0], []
    for row, arm in enumerate(arms):
        interval = grid.interval(arm, place, column.name)
        if interval is None:
            axis.text(0.5, row, "–", transform=axis.get_yaxis_transform(), ha="center", va="center", color="#666666")
            continue
        values = grid.values(arm, place, column.name).to_numpy() * column.scale
        everything += values.tolist()
        if interval.half_width is not None:
            mean, half = np.array([interval.mean * column.scale]), np.array([interval.half_width * column.scale])
            low, high = _clipped(column, mean - half, mean + half, mean)
            axis.plot([low[0], high[0]], [row, row], color=styles[arm].colour, linewidth=1.6, solid_capstyle="butt")
            axis.plot(values, [row] * len(values), ".", color=styles[arm].colour, markersize=4, alpha=0.5)
        axis.plot(interval.mean * column.scale, row, linestyle="none", **styles[arm].point())
    if is_wide(everything) and not column.percent:
        axis.set_xscale("log")
    if column.percent:
        axis.set_xlim(-3, 104)
    bound = ceiling(column, grid, place)
    if bound is not None:
        axis.axvline(bound, **CEILING)
    axis.set_xlabel(column.heading)
    return bound is not None
