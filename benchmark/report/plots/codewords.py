"""Codewords among the latents over a training, in two dimensions: who moves, and who is left behind."""

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.grid import Grid
from benchmark.report.plots.base import Plot, panels
from benchmark.report.style import Style

MARGIN = 0.35
"""Room around the latents, as a share of their extent; codewords further out are not shown, but counted."""


class CodewordsMoving(Plot):
    """A row an arm, a column a step, of the lowest seed at the first place of the grid that has pictures.

    Of a method with levels the first level is shown.
    """

    name = "codewords"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no run looked at its codewords."""
        for place in grid.places:
            keys = {arm: key for arm in grid.arms if (key := grid.first_key(arm, place)) is not None}
            found = {arm: seen for arm, key in keys.items() if (seen := grid.results.snapshots(key)) is not None}
            if found:
                labels = {arm: f"{arm}, level 1" if _has_levels(grid, keys[arm]) else arm for arm in found}
                return _sheet(found, labels, grid.title(place), styles)
        return None


def _has_levels(grid: Grid, key: str) -> bool:
    return len(grid.results.records[key].get("level_sizes") or ()) > 1


def _sheet(
    found: dict[str, dict[str, np.ndarray]], labels: dict[str, str], title: str, styles: dict[str, Style]
) -> Figure:
    columns = max(len(seen["steps"]) for seen in found.values())
    figure, rows = panels(len(found), columns, width=1.75, height=1.75)
    for axes, (arm, seen) in zip(rows, found.items(), strict=True):
        low, high = seen["latents"].min(0), seen["latents"].max(0)
        room = MARGIN * (high - low).max()
        for axis, codewords in zip(axes, seen["codewords"], strict=False):
            axis.plot(*seen["latents"].T, ".", color="#c4c4c4", markersize=1.5, zorder=0)
            axis.plot(*codewords.T, ".", color=styles[arm].colour, markersize=4, zorder=2)
            axis.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] - room, high[1] + room))
            axis.set(xticks=[], yticks=[])
            inside = ((codewords > low - room) & (codewords < high + room)).all(1)
            if not inside.all():
                axis.set_xlabel(f"{(~inside).sum():,} outside", fontsize=7)
        axes[0].set_ylabel(labels[arm])
    for axis, step in zip(rows[0], next(iter(found.values()))["steps"], strict=False):
        axis.set_title(f"step {step:,}")
    figure.suptitle(f"{title} · grey: latents, coloured: codewords", fontsize=9)
    return figure
