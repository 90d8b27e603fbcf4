"""Quantities against codebook size, a panel each; with a single size, dots with the seeds around them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.columns import Column
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.plots.base import (
    BAND_ALPHA,
    Plot,
    arm_handles,
    ceiling_handle,
    is_wide,
    legend,
    panels,
    size_axis,
    wrapped,
)
from benchmark.report.quantities import Choice
from benchmark.report.style import CEILING, Style

PANELS_A_ROW = 4
DODGE = 0.035
"""Arms stand this many octaves apart, so that equal values don't hide each other."""


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
        if len(grid.sizes) == 1:
            return _dots(columns, grid, styles)
        return _lines(columns, grid, styles)


def _lines(columns: list[Column], grid: Grid, styles: dict[str, Style]) -> Figure:
    figure, rows = panels(*wrapped(len(columns), PANELS_A_ROW), width=3.3, height=2.8)
    axes = [axis for row in rows for axis in row]
    shown: set[str] = set()
    bounded = False
    for axis, column in zip(axes, columns, strict=False):
        shown |= _curves(axis, column, grid, styles)
        bounded |= _ceiling(axis, column, grid)
        size_axis(axis, grid.sizes)
        axis.set_title(column.heading)
    for axis in axes[len(columns) :]:
        axis.remove()
    handles = arm_handles([arm for arm in grid.arms if arm in shown], styles, rules=grid.size_free)
    legend(figure, handles + ([ceiling_handle("ceiling")] if bounded else []))
    return figure


def _curves(axis: Axes, column: Column, grid: Grid, styles: dict[str, Style]) -> set[str]:
    """Draw one panel; the arms that are in it. A line breaks at a size where its arm has no run."""
    shown, everything = set(), []
    for index, arm in enumerate(grid.arms):
        intervals = [grid.interval(arm, size, column.name) for size in grid.sizes]
        means = np.array([i.mean if i else np.nan for i in intervals]) * column.scale
        found = means[np.isfinite(means)]
        if not len(found):
            continue
        shown.add(arm)
        everything += found.tolist()
        style = styles[arm]
        if arm in grid.size_free:
            axis.axhline(found[0], color=style.colour, linestyle=style.line, linewidth=1.4)
            continue
        half = np.array([(i.half_width if i else None) or 0.0 for i in intervals]) * column.scale
        band = _clipped(column, means - half, means + half, means)
        x = np.array(grid.sizes) * 2 ** (DODGE * (index - (len(grid.arms) - 1) / 2))
        axis.plot(x, means, **style.curve())
        axis.fill_between(x, *band, color=style.colour, alpha=BAND_ALPHA, lw=0)
    _scale(axis, column, everything)
    return shown


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


def _ceiling(axis: Axes, column: Column, grid: Grid) -> bool:
    """Draw what a uniform source would reach, of usage and of perplexity."""
    bounds = {size: bound for size in grid.sizes if (bound := ceiling(column, grid, size)) is not None}
    if bounds:
        axis.plot(list(bounds), list(bounds.values()), **CEILING)
    return bool(bounds)


def ceiling(column: Column, grid: Grid, size: int) -> float | None:
    """Usage: 1 - (1 - 1/K)^N, as recorded. Perplexity: the smaller of K and N. Of others: none."""
    if column.name == "usage":
        recorded = grid.at_size(size, "ceiling")
        return None if recorded is None else recorded * column.scale
    if column.name == "perplexity":
        tokens = grid.at_size(size, "tokens")
        return float(size) if tokens is None else min(float(size), tokens)
    return None


def _dots(columns: list[Column], grid: Grid, styles: dict[str, Style]) -> Figure:
    size = grid.sizes[0]
    arms = [arm for arm in grid.arms if len(grid.ok(arm, size))]
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
        f"Codebook size {size:,}; small dots are single runs" + ("; dotted: ceiling" if bounded else ""), fontsize=9
    )
    return figure


def _dot_panel(axis: Axes, column: Column, grid: Grid, arms: list[str], styles: dict[str, Style]) -> bool:
    size, everything = grid.sizes[0], []
    for row, arm in enumerate(arms):
        interval = grid.interval(arm, size, column.name)
        if interval is None:
            axis.text(0.5, row, "–", transform=axis.get_yaxis_transform(), ha="center", va="center", color="#666666")
            continue
        values = grid.values(arm, size, column.name).to_numpy() * column.scale
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
    bound = ceiling(column, grid, size)
    if bound is not None:
        axis.axvline(bound, **CEILING)
    axis.set_xlabel(column.heading)
    return bound is not None
