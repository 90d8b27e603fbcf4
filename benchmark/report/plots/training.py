"""Usage and perplexity over training, from the histories."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.places import Place
from benchmark.report.plots.base import BAND_ALPHA, Plot, arm_handles, legend, make_logarithmic, panels, set_title
from benchmark.report.statistics import t_interval
from benchmark.report.style import Style

_ROWS = (("usage", "Usage of the probe set, %", 100.0), ("perplexity", "Perplexity of the probe set", 1.0))


MOST_BANDS = 8
"""More arms than these would hide each other behind their intervals."""


class OverTraining(Plot):
    """A column a place of the grid; usage above, perplexity below; mean over seeds, of few arms with its interval."""

    name = "training"

    def draw(self, results: Results, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no history has a usage."""
        curves = {
            (arm, place): c for arm in grid.arms for place in grid.places if len(c := _curve(results, grid, arm, place))
        }
        places = [place for place in grid.places if any(at == place for _, at in curves)]
        if not curves:
            return None
        figure, rows = panels(
            2, len(places), width=2.5 if len(places) > 1 else 4.2, height=2.4, sharex=True, sharey="row"
        )
        for axes, (name, label, scale) in zip(rows, _ROWS, strict=True):
            axes[0].set_ylabel(label)
            for axis, place in zip(axes, places, strict=True):
                for arm in grid.arms:
                    if (arm, place) in curves:
                        _draw(axis, curves[arm, place], name, scale, styles[arm], bands=len(grid.arms) <= MOST_BANDS)
        for axis, place in zip(rows[0], places, strict=True):
            set_title(axis, grid.title(place))
            axis.set_ylim(-3, 104)
        for axis in rows[1]:
            make_logarithmic(axis.yaxis)
            axis.set_xlabel("Step")
        legend(figure, arm_handles([arm for arm in grid.arms if any(at == arm for at, _ in curves)], styles))
        return figure


def _curve(results: Results, grid: Grid, arm: str, place: Place) -> pd.DataFrame:
    """Rows (step, usage, perplexity) of all seeds; empty where there is no history of them."""
    histories = [results.history(key) for key in grid.ok(arm, place)["key"]]
    found = [
        history[["step", "usage", "perplexity"]].dropna()
        for history in histories
        if history is not None and {"usage", "perplexity"} <= set(history.columns)
    ]
    return pd.concat(found) if found else pd.DataFrame()


def _draw(axis: Axes, curve: pd.DataFrame, name: str, scale: float, style: Style, *, bands: bool) -> None:
    points = [(step, t_interval(values.to_numpy())) for step, values in curve.groupby("step")[name]]
    found = [(step, interval) for step, interval in points if interval is not None]
    steps = np.array([step for step, _ in found], dtype=float)
    mean = scale * np.array([interval.mean for _, interval in found])
    axis.plot(steps, mean, color=style.colour, linestyle=style.line)
    axis.plot(steps[-1:], mean[-1:], linestyle="none", clip_on=False, **style.point())
    if bands:
        half = scale * np.array([interval.half_width or 0.0 for _, interval in found])
        low, high = (mean - half).clip(min=0 if name == "usage" else 1), mean + half
        high = high.clip(max=100) if name == "usage" else high
        axis.fill_between(steps, low, high, color=style.colour, alpha=BAND_ALPHA, lw=0)
