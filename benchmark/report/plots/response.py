"""How every arm answers to what was tuned: validation error against the learning rate, from ``tuning.csv``."""

import itertools
import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea
from matplotlib.ticker import FixedLocator, NullFormatter

from benchmark.records.plan import RESPONSE
from benchmark.report.frame import unusable
from benchmark.report.grid import Grid
from benchmark.report.places import text
from benchmark.report.plots.base import Plot, legend, panels, size_label, wrapped
from benchmark.report.plots.scales import make_logarithmic
from benchmark.report.style import Style

_NUMBERS = ("codebook_size", "rung", "steps", "seed", "learning_rate", "validation_error", "chosen")
_COLUMNS = (*_NUMBERS, "arm", "parameter", "value")
_CURVE = ("codebook_size", "rung", "value")
_PANELS_A_ROW = 7
_ABOVE = 6.0
"""Decibels shown above the worst choice: beyond them all that matters is that an error is large."""
_LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
_MARKERS = ("^", "s", "D", "v")
_FIRST: dict[str, Any] = {"linewidth": 1.2, "markersize": 3.5}
_LONGER: dict[str, Any] = {"linestyle": "none", "markersize": 4.5}
_HOLLOW: dict[str, Any] = {"markerfacecolor": "white"}
_GREY = "#444444"
_RING: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 10,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "markeredgewidth": 1.2,
}

Looks = dict[Any, Any]
"""Line by codebook size, or marker by rung; the first rung's comes first."""


class Response(Plot):
    """A panel an arm: a line a value of its knob over the first rung, markers for longer ones, rings for choices."""

    name = "response"

    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where nothing was tuned."""
        trials = _read(grid.results.folder / RESPONSE)
        if trials is None:
            return None
        arms = [arm for arm in grid.arms if (trials["arm"] == arm).any()]
        trials = trials[trials["arm"].isin(arms)]
        if not arms:
            return None
        figure, rows = panels(*wrapped(len(arms), _PANELS_A_ROW), width=1.75, height=1.85, sharex=True, sharey=True)
        axes = [axis for row in rows for axis in row]
        sizes, rungs = sorted(trials["codebook_size"].unique()), sorted(trials["rung"].unique())
        lines: Looks = dict(zip(sizes, itertools.cycle(_LINES), strict=False))
        markers: Looks = dict(zip(rungs, itertools.chain(".", itertools.cycle(_MARKERS)), strict=False))
        for axis, arm in zip(axes, arms, strict=False):
            _panel(axis, arm, trials[trials["arm"] == arm], lines, markers)
        _scale(axes[0], trials)
        for number, axis in enumerate(axes):
            if number >= len(arms):
                axis.remove()
            elif number + len(rows[0]) >= len(arms):  # nothing below it
                axis.xaxis.set_tick_params(labelbottom=True)
                axis.set_xlabel("Learning rate")
        for row in rows:
            row[0].set_ylabel("Validation error, dB")
        legend(figure, _handles(trials, lines, markers))
        return figure


def _read(path: Path) -> pd.DataFrame | None:
    """The trials that ended with an error, one a row with its ``decibels``; None, and a warning, of a damaged file."""
    if not path.exists():
        return None
    try:
        trials = pd.read_csv(path, dtype=str, keep_default_na=False)
        missing = [name for name in _COLUMNS if name not in trials]
        if missing:
            return unusable(path, f"no column `{missing[0]}`")
        for name in _NUMBERS:
            trials[name] = pd.to_numeric(trials[name])
        trials = trials.fillna({"chosen": 0})
    except (OSError, ValueError) as error:
        return unusable(path, error)
    whole = np.isfinite(trials[list(_NUMBERS)].to_numpy(dtype=float)).all(axis=1)
    trials = trials[whole & (trials["validation_error"] > 0) & (trials["learning_rate"] > 0)]
    return trials.assign(decibels=10 * np.log10(trials["validation_error"]))


def _panel(axis: Axes, arm: str, trials: pd.DataFrame, lines: Looks, markers: Looks) -> None:
    values = sorted(trials["value"].unique(), key=_order)
    colours = {value: _colour(number, len(values)) for number, value in enumerate(values)}
    means = trials.groupby([*_CURVE, "learning_rate"], sort=True)["decibels"].mean().reset_index()
    for (size, rung, value), rows in itertools.groupby(means.itertuples(index=False, name=None), lambda row: row[:3]):
        rates, decibels = zip(*(row[3:] for row in rows), strict=True)
        first = rung == next(iter(markers))
        look = _FIRST | {"linestyle": lines[size]} if first else _LONGER
        hollow = {} if size == next(iter(lines)) else _HOLLOW
        axis.plot(rates, decibels, color=colours[value], marker=markers[rung], **look, **hollow)
    chosen = trials[trials["chosen"] == 1]
    for _, points in chosen.groupby("codebook_size"):
        last = points[points["rung"] == points["rung"].max()]
        axis.plot(last["learning_rate"].mean(), last["decibels"].mean(), zorder=5, **_RING)
    axis.set_title(arm, fontsize=8.5, pad=13)
    axis.add_artist(_knob(axis, trials, values, colours))


def _knob(axis: Axes, trials: pd.DataFrame, values: list[str], colours: dict[str, str]) -> AnchoredOffsetbox:
    """A line above the panel: the knob and its values, each in the colour of its curve."""
    parameter = str(trials["parameter"].iloc[0])
    decoded = [_decoded(value) for value in values]
    keys = {key for value in decoded if isinstance(value, dict) for key in value}
    if len(keys) == 1 and all(isinstance(value, dict) for value in decoded):  # a dictionary of one setting
        parameter = keys.pop()
        decoded = [next(iter(value.values())) for value in decoded]
    words = [parameter, *map(_short, decoded)] if parameter else []
    looks = ["#222222", *(colours[value] for value in values)]
    parts: list[Artist] = [
        TextArea(word, textprops={"fontsize": 6.5, "color": look}) for word, look in zip(words, looks, strict=False)
    ]
    return AnchoredOffsetbox(
        "lower center",
        child=HPacker(children=parts, pad=0, sep=4),
        pad=0,
        borderpad=0.2,
        frameon=False,
        bbox_to_anchor=(0.5, 1.0),
        bbox_transform=axis.transAxes,
    )


def _scale(axis: Axes, trials: pd.DataFrame) -> None:
    """Shared by all panels: decades, and in the vertical what is not much worse than any arm's choice."""
    rates = sorted(trials["learning_rate"].unique())
    make_logarithmic(axis.xaxis)
    axis.xaxis.set_minor_locator(FixedLocator(rates))
    axis.xaxis.set_minor_formatter(NullFormatter())
    chosen = trials[trials["chosen"] == 1]["decibels"]
    low, high = trials["decibels"].min(), trials["decibels"].max()
    top = min(high, chosen.max() + _ABOVE) if len(chosen) else high
    room = 0.06 * (top - low) or 0.5
    axis.set_ylim(low - room, top + room)


def _handles(trials: pd.DataFrame, lines: Looks, markers: Looks) -> list[Line2D]:
    sizes = [
        Line2D([], [], color=_GREY, linestyle=line, marker="o", label=f"K = {size_label(int(size))}", **hollow)
        for (size, line), hollow in zip(lines.items(), [{}, *[_HOLLOW] * len(lines)], strict=False)
    ]
    steps = {rung: text(int(trials.loc[trials["rung"] == rung, "steps"].max())) for rung in markers}
    rungs = [
        Line2D([], [], color=_GREY, linestyle="none" if number else "-", marker=marker, label=f"{steps[rung]} steps")
        for number, (rung, marker) in enumerate(markers.items())
    ]
    return [*(sizes if len(sizes) > 1 else []), *rungs, Line2D([], [], label="chosen", **_RING)]


def _colour(number: int, of: int) -> str:
    """Of values in order: along one map of rising lightness."""
    return _GREY if of == 1 else to_hex(matplotlib.colormaps["plasma"](0.78 * number / (of - 1))[:3])


def _decoded(value: str) -> Any:
    try:
        return json.loads(value, parse_int=float)
    except (ValueError, RecursionError):
        return value


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers ascending, also those that are a dictionary's only value; words behind them."""
    decoded = _decoded(value)
    if isinstance(decoded, dict) and len(decoded) == 1:
        decoded = next(iter(decoded.values()))
    return (False, decoded, value) if isinstance(decoded, float) else (True, 0.0, value)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(inner)}" for key, inner in value.items())
    return str(value)
