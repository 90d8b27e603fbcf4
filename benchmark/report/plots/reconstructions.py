"""Reconstructions of every arm beside the originals, from the runs' samples."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.plots.base import Plot, panels
from benchmark.report.style import Style

STRIP_WIDTH = 6.5
"""Inches."""


class Reconstructions(Plot):
    """A row an arm, of its lowest seed at the largest codebook size that it has; the originals on top."""

    name = "reconstructions"

    def draw(self, results: Results, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no run left samples."""
        strips: list[tuple[str, np.ndarray]] = []
        for arm in grid.arms:
            sizes = [size for size in reversed(grid.sizes) if len(grid.ok(arm, size))]
            samples = results.samples(str(grid.ok(arm, sizes[0]).sort_values("seed")["key"].iloc[0])) if sizes else None
            if samples is None:
                continue
            half = samples.shape[0] // 2
            if not strips:
                strips.append(("original", samples[:half]))
            label = arm if arm in grid.size_free else f"{arm}\nK = {sizes[0]:,}"
            strips.append((label, samples[half:]))
        if not strips:
            return None
        height = STRIP_WIDTH * strips[0][1].shape[0] / strips[0][1].shape[1]
        labels = 0.2 + 0.08 * max(len(line) for label, _ in strips for line in label.splitlines())
        figure, rows = panels(len(strips), 1, width=STRIP_WIDTH + labels, height=height + 0.08)
        for [axis], (label, strip) in zip(rows, strips, strict=True):
            _strip(axis, label, strip)
        return figure


def _strip(axis: Axes, label: str, strip: np.ndarray) -> None:
    axis.imshow(strip, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8.5)
