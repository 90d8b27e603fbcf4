"""Curves over training, from the histories: usage and perplexity, and the validation error."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.grid import Grid
from benchmark.report.places import Place
from benchmark.report.plots.base import (
    BAND_ALPHA,
    LEAST_RUNS,
    PANELS_A_ROW,
    Plot,
    arm_handles,
    panels,
    set_title,
    wrapped_places,
)
from benchmark.report.plots.direct import Point, name_curves, tall_enough
from benchmark.report.plots.scales import make_logarithmic
from benchmark.report.statistics import t_interval
from benchmark.report.style import Style

_ROWS = (("usage", "Usage of the probe set, %", 100.0), ("perplexity", "Perplexity of the probe set", 1.0))
_BOUNDS = {"usage": (0.0, 100.0), "perplexity": (1.0, np.inf)}

Curves = dict[tuple[str, Place], pd.DataFrame]
"""Of an arm at a place: the step, and a column a quantity, of all seeds."""

MOST_BANDS = 8
"""More arms than these would hide each other behind their intervals."""


class OverTraining(Plot):
    """A column a place of the grid; usage above, perplexity below; mean over seeds, of few arms with its interval."""

    name = "training"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no history has a usage."""
        curves = _curves(grid, ["usage", "perplexity"])
        places = _places(grid, curves)
        if not curves:
            return None
        figure, rows = panels(
            2,
            len(places),
            width=2.5 if len(places) > 1 else 4.2,
            height=tall_enough(2.4, styles),
            sharex=True,
            sharey="row",
        )
        ends: dict[Axes, dict[str, Point]] = {}
        for axes, (name, label, scale) in zip(rows, _ROWS, strict=True):
            axes[0].set_ylabel(label)
            for axis, place in zip(axes, places, strict=True):
                ends[axis] = _panel(axis, curves, grid, place, name, scale, styles)
        for axis, place in zip(rows[0], places, strict=True):
            set_title(axis, grid.title(place))
            axis.set_ylim(-3, 104)
        for axis in rows[1]:
            make_logarithmic(axis.yaxis)
            axis.set_xlabel("Step")
        name_curves(figure, ends, arm_handles(_arms(grid, curves), styles), styles, _others(grid, curves))
        return figure


class ErrorOverTraining(Plot):
    """A panel a place: validation error in dB over steps, a doubling as wide everywhere; mean over seeds.

    As high as the remedies need it; a yardstick far below them leaves the panel.
    """

    name = "error_over_training"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where no history has an error that a logarithm can show."""
        curves = {at: _decibels(curve) for at, curve in _curves(grid, ["validation_error"]).items()}
        curves = {at: curve for at, curve in curves.items() if len(curve)}
        places = _places(grid, curves)
        if not curves:
            return None
        shape = wrapped_places(places, PANELS_A_ROW)
        width, height = 3.0 if len(places) > 1 else 4.8, tall_enough(2.8, styles)
        figure, rows = panels(*shape, width=width, height=height, sharex=True, sharey=True)
        axes = [axis for row in rows for axis in row]
        ends: dict[Axes, dict[str, Point]] = {}
        for axis, place in zip(axes, places, strict=False):
            ends[axis] = _panel(axis, curves, grid, place, "validation_error", 1.0, styles)
            make_logarithmic(axis.xaxis)
            set_title(axis, grid.title(place))
        for axis in axes[len(places) :]:
            axis.remove()
        for axis in axes[: len(places)][-shape[1] :]:
            axis.set_xlabel("Step")
            axis.xaxis.set_tick_params(labelbottom=True)
        for row in rows:
            row[0].set_ylabel("Validation error, dB")
        _fit_height(axes[: len(places)], [curve for (arm, _), curve in curves.items() if arm in grid.remedies])
        name_curves(figure, ends, arm_handles(_arms(grid, curves), styles), styles, _others(grid, curves))
        return figure


def _fit_height(axes: list[Axes], curves: list[pd.DataFrame]) -> None:
    """Limits around ``curves``, where there are some; the end of a line that leaves the panel is not drawn."""
    if not curves:
        return
    errors = pd.concat(curves)["validation_error"]
    margin = 0.08 * float(errors.max() - errors.min()) + 0.2
    low, high = float(errors.min()) - margin, float(errors.max()) + margin
    axes[0].set_ylim(low, high)  # which all share
    for line in (line for axis in axes for line in axis.get_lines() if not line.get_clip_on()):
        line.set_visible(all(low <= value <= high for value in np.asarray(line.get_ydata(), dtype=float)))


def _curves(grid: Grid, names: list[str]) -> Curves:
    """The curves of the quantities ``names``; a row that lacks one, as before the quantizer starts, is left out."""
    curves: Curves = {}
    shown = ["step", *names]
    for arm in grid.arms:
        for place in grid.places:
            histories = [grid.results.history(key) for key in grid.ok(arm, place)["key"]]
            found = [_columns(h, shown) for h in histories if h is not None and all(name in h for name in names)]
            rows = np.concatenate([np.empty((0, len(shown))), *found])
            rows = rows[~np.isnan(rows).any(axis=1)]
            if len(rows):
                curves[arm, place] = pd.DataFrame(rows, columns=shown)
    return curves


def _columns(history: pd.DataFrame, names: list[str]) -> np.ndarray:
    """As an array: to choose from so many small frames takes ten times as long."""
    places: list[Any] = [history.columns.get_loc(name) for name in names]
    return history.to_numpy(dtype=float)[:, places]


def _decibels(curve: pd.DataFrame) -> pd.DataFrame:
    """10·log10 of the errors, without the first step, which is where the weights started."""
    curve = curve[(curve["validation_error"] > 0) & (curve["step"] > 1)]
    return curve.assign(validation_error=10 * np.log10(curve["validation_error"]))


def _places(grid: Grid, curves: Curves) -> list[Place]:
    return [place for place in grid.places if any(at == place for _, at in curves)]


def _arms(grid: Grid, curves: Curves) -> list[str]:
    return [arm for arm in grid.arms if any(at == arm for at, _ in curves)]


def _panel(
    axis: Axes, curves: Curves, grid: Grid, place: Place, name: str, scale: float, styles: dict[str, Style]
) -> dict[str, Point]:
    """Draw the arms that have curves; where these end."""
    return {
        arm: _draw(axis, curves[arm, place], name, scale, styles[arm], bands=len(grid.arms) <= MOST_BANDS)
        for arm in grid.arms
        if (arm, place) in curves
    }


def _draw(axis: Axes, curve: pd.DataFrame, name: str, scale: float, style: Style, *, bands: bool) -> Point:
    measured = ((step, values[np.isfinite(values)]) for step, values in _by_step(curve, name))
    found = [(step, values) for step, values in measured if len(values)]
    steps = np.array([step for step, _ in found], dtype=float)
    mean = scale * np.array([values.mean() for _, values in found])
    axis.plot(steps, mean, color=style.colour, linestyle=style.line)
    axis.plot(steps[-1:], mean[-1:], linestyle="none", clip_on=False, **style.point())
    if bands:
        low, high = _BOUNDS.get(name, (-np.inf, np.inf))
        ends = scale * np.array([_band(values) for _, values in found])
        axis.fill_between(steps, *ends.clip(low, high).T, color=style.colour, alpha=BAND_ALPHA, lw=0)
    return float(steps[-1]), float(mean[-1])


def _band(values: np.ndarray) -> Point:
    """The interval; of too few runs for one, from the lowest to the highest."""
    interval = t_interval(values)
    if interval is None or interval.half_width is None or interval.n < LEAST_RUNS:
        return float(values.min()), float(values.max())
    return interval.mean - interval.half_width, interval.mean + interval.half_width


def _others(grid: Grid, curves: Curves) -> list[Line2D]:
    """Legend entries of what is no arm: what a band of two runs is, where there is one."""
    pairs = any(1 < len(grid.ok(arm, place)) < LEAST_RUNS for arm, place in curves)
    if not pairs or len(grid.arms) > MOST_BANDS:
        return []
    return [Line2D([], [], label="of two runs: their range", color="#444444", linewidth=7, alpha=2 * BAND_ALPHA)]


def _by_step(curve: pd.DataFrame, name: str) -> Iterator[tuple[float, np.ndarray]]:
    """The values of all seeds at each step, in their order; by hand, since grouping frames takes ten times as long."""
    order = np.argsort(curve["step"].to_numpy(), kind="stable")
    steps, values = curve["step"].to_numpy()[order], curve[name].to_numpy()[order]
    starts = np.flatnonzero(np.diff(steps, prepend=np.nan))
    return zip(steps[starts], np.split(values, starts[1:]), strict=True)
