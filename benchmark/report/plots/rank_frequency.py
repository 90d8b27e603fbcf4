"""Rank–frequency of the codes: how evenly the codebook is used, code by code."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmark.metrics.parts.rank_frequency import relative_curve
from benchmark.report.grid import Grid
from benchmark.report.places import Place
from benchmark.report.plots.base import Plot, arm_handles, ceiling_handle, panels, set_title, wrapped_places
from benchmark.report.plots.direct import Point, name_curves, tall_enough
from benchmark.report.style import CEILING, Style

PANELS_A_ROW = 3


class RankFrequency(Plot):
    """A panel a place, log–log, of the lowest seed; both axes relative to a uniform source, so that sizes compare.

    A curve ends at the share of codewords in use; a flat one at height 1 is a codebook used evenly. Of a
    method with levels the first level is shown.
    """

    name = "rank_frequency"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no run has counts."""
        curves: dict[Place, dict[str, tuple[np.ndarray, np.ndarray]]] = {place: {} for place in grid.places}
        leveled: set[str] = set()
        for arm in grid.arms:
            if grid.results.is_codeless(arm):
                continue
            for place in grid.places:
                key = grid.first_key(arm, place)
                if key is None:
                    continue
                levels = grid.results.counts(key)
                if levels and levels[0].any():
                    curves[place][arm] = relative_curve(levels[0])
                    leveled |= {arm} if len(levels) > 1 else set()
        places = [place for place in grid.places if curves[place]]
        if not places:
            return None
        width = 3.0 if len(places) > 1 else 4.4
        height = tall_enough(2.7, styles)
        figure, rows = panels(*wrapped_places(places, PANELS_A_ROW), width=width, height=height, sharey=True)
        axes = [axis for row in rows for axis in row]
        ends: dict[Axes, dict[str, Point]] = {axis: {} for axis, _ in zip(axes, places, strict=False)}
        for axis, place in zip(axes, places, strict=False):
            for arm, (rank, frequency) in curves[place].items():
                axis.loglog(rank, frequency, color=styles[arm].colour, linestyle=styles[arm].line)
                axis.plot(rank[-1:], frequency[-1:], linestyle="none", **styles[arm].point())
                ends[axis][arm] = (float(rank[-1]), float(frequency[-1]))
            axis.axhline(1.0, **CEILING)
            set_title(axis, grid.title(place))
            axis.set_xlim(0.8 / place.size, 1.4)
            axis.xaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_minor_locator(NullLocator())
        for axis in axes[len(places) :]:
            axis.remove()
        figure.supxlabel("Rank of a code ÷ codebook size", fontsize=9)
        figure.supylabel("Frequency × codebook size", fontsize=9)
        handles = arm_handles([arm for arm in grid.arms if any(arm in curves[place] for place in places)], styles)
        for handle in handles:
            if handle.get_label() in leveled:
                handle.set_label(f"{handle.get_label()}, level 1")
        name_curves(figure, ends, handles, styles, [ceiling_handle("uniform source")])
        return figure
