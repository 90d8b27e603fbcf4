"""Quantities by arm: a row an arm, dots with the seeds around them, for a single place or places without an order."""

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
    scale,
    set_title,
    wrapped,
)
from benchmark.report.plots.direct import family_legend
from benchmark.report.plots.page import page_width
from benchmark.report.style import CEILING, Style


def dots(columns: list[Column], grid: Grid, styles: dict[str, Style]) -> Figure:
    """A panel a quantity; where there are several places, a row of panels a quantity and a column a place.

    Arms in the colours of families stand by family.
    """
    arms = [arm for arm in grid.arms if any(len(grid.ok(arm, place)) for place in grid.places)]
    arms = sorted(arms, key=lambda arm: place_of(family) if (family := styles[arm].family) else 0)
    single = len(grid.places) == 1
    shape = wrapped(len(columns), PANELS_A_ROW) if single else (len(columns), len(grid.places))
    height = 0.8 + (0.26 if len(arms) < 16 else 0.2) * len(arms)
    figure, rows = panels(*shape, width=2.9, height=height, sharey=True, sharex=False if single else "row")
    axes = [axis for row in rows for axis in row]
    bounded = False
    cells = [(column, place) for column in columns for place in grid.places]
    for axis, (column, place) in zip(axes, cells, strict=False):
        bounded |= _panel(axis, column, grid, place, arms, styles)
        _scale(axis, column, grid, arms)
        if not single:
            set_title(axis, grid.title(place))
    for axis in axes[len(cells) :]:
        axis.remove()
    axes[0].set_yticks(range(len(arms)), arms)
    axes[0].set_ylim(len(arms) - 0.5, -0.5)
    for left, *_ in rows:
        for label, arm in zip(left.get_yticklabels(), arms, strict=True):
            label.set_color(styles[arm].colour if styles[arm].family else "black")
    size = [f"Codebook size {grid.sizes[0]:,}"] if len(grid.sizes) == 1 else []
    several = ["small dots are single runs"] if grid.most_seeds > 1 else []
    said = [*size, *several, *(["dotted: ceiling"] if bounded else [])]
    figure.suptitle(("\n" if page_width() else "; ").join(said), fontsize=9)
    family_legend(figure, arms, styles)
    return figure


def _panel(axis: Axes, column: Column, grid: Grid, place: Place, arms: list[str], styles: dict[str, Style]) -> bool:
    for row, arm in enumerate(arms):
        interval = grid.interval(arm, place, column.name)
        if interval is None:
            axis.text(0.5, row, "–", transform=axis.get_yaxis_transform(), ha="center", va="center", color="#666666")
            continue
        values = grid.values(arm, place, column.name).to_numpy() * column.scale
        if interval.half_width is not None and interval.n >= LEAST_RUNS:
            mean, half = np.array([interval.mean * column.scale]), np.array([interval.half_width * column.scale])
            low, high = clipped(column, mean - half, mean + half, mean)
            axis.plot([low[0], high[0]], [row, row], color=styles[arm].colour, linewidth=1.6, solid_capstyle="butt")
        if interval.n > 1:
            axis.plot(values, [row] * len(values), color=styles[arm].colour, **RUN)
        axis.plot(interval.mean * column.scale, row, linestyle="none", **styles[arm].point())
    bound = ceiling(column, grid, place)
    if bound is not None:
        axis.axvline(bound, **CEILING)
    return bound is not None


def _scale(axis: Axes, column: Column, grid: Grid, arms: list[str]) -> None:
    """The same for a quantity at every place, so that panels in a row can be compared."""
    axis.set_xlabel(column.heading)
    if column.percent:
        axis.set_xlim(-3, 104)
        return
    values = [float(v) for arm in arms for place in grid.places for v in grid.values(arm, place, column.name)]
    scale(axis.xaxis, values)
