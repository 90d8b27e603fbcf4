"""Reconstructions of every arm beside the originals, from the runs' samples."""

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.grid import Grid
from benchmark.report.plots.base import Plot, last_runs
from benchmark.report.style import Style

STRIP_INCHES = 6.5
LABEL_INCHES = 0.072
"""Of a letter."""
GAP_INCHES = 0.08


class Reconstructions(Plot):
    """A row an arm, of its lowest seed at the last place of the grid that it has; the originals on top."""

    name = "reconstructions"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no run left samples."""
        strips: list[tuple[str, np.ndarray]] = []
        for arm, label, key in last_runs(grid):
            samples = grid.results.samples(key)
            if samples is None:
                continue
            half = samples.shape[0] // 2
            if not strips:
                strips.append(("original", samples[:half]))
            strips.append((styles[arm].label(label), samples[half:]))
        if not strips:
            return None
        return _sheet(strips)


def _sheet(strips: list[tuple[str, np.ndarray]]) -> Figure:
    """Strips of one width under each other, their labels on the left, placed by the inch."""
    margin = 0.2 + LABEL_INCHES * max(len(line) for label, _ in strips for line in label.splitlines())
    pixels = strips[0][1].shape
    height = STRIP_INCHES * pixels[0] / pixels[1]
    step = max(height, 0.3) + GAP_INCHES
    total = (margin + STRIP_INCHES + GAP_INCHES, step * len(strips) + GAP_INCHES)
    figure = Figure(figsize=total)
    for row, (label, strip) in enumerate(strips, 1):
        bottom = total[1] - row * step
        axis = figure.add_axes((margin / total[0], bottom / total[1], STRIP_INCHES / total[0], height / total[1]))
        axis.imshow(strip, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        axis.set_axis_off()
        middle = (bottom + height / 2) / total[1]
        figure.text((margin - 0.1) / total[0], middle, label, ha="right", va="center", fontsize=8.5)
    return figure
