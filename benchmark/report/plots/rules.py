"""Lines across, of arms that one run serves: drawn where the curves stay readable, else told at the panel's edge."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from benchmark.report.columns import Column
from benchmark.report.plots.base import is_wide
from benchmark.report.style import Style

FAR = 2.0
"""A line further from the curves than this many times the height that they span would press them together."""
_SIZE = 7.0
_LINE = 0.07
"""Share of a panel's height that a line of text takes."""


def is_far(value: float, curves: Sequence[float]) -> bool:
    """Whether a line at ``value`` would press the curves together, on the scale that they have."""
    if not curves or min(curves) == max(curves):
        return False
    low, high = min(curves), max(curves)
    if is_wide(curves):
        if value <= 0:
            return True
        low, high, value = np.log([min(one for one in curves if one > 0), high, value])
    reach = FAR * (high - low)
    return not low - reach <= value <= high + reach


def draw_rules(
    axis: Axes,
    rules: Sequence[tuple[str, float]],
    curves: Sequence[float],
    column: Column,
    styles: Mapping[str, Style],
) -> dict[str, float]:
    """A line across for each arm and value of ``rules``, as printed, beside ``curves``; of those drawn the last value.

    After all else that sets the limits: what is told at the edge makes room for itself there.
    """
    drawn: dict[str, float] = {}
    for arm, value in rules:
        if not is_far(value, curves):
            axis.axhline(value, color=styles[arm].colour, linestyle=styles[arm].line, linewidth=1.4)
            drawn[arm] = value
    far = [(arm, value) for arm, value in rules if is_far(value, curves)]
    for sign, told in (
        ("↑", [(arm, value) for arm, value in far if value > max(curves)]),
        ("↓", [(arm, value) for arm, value in far if value < min(curves)]),
    ):
        if told:
            lines = [f"{sign} {arm} {column.number(value / column.scale)}" for arm, value in told]
            _tell(axis, "\n".join(lines), styles[told[0][0]].colour, above=sign == "↑")
    return drawn


def _tell(axis: Axes, text: str, colour: str, *, above: bool) -> None:
    """A text at the upper or lower edge, below or above which no curve comes."""
    room = _LINE * (text.count("\n") + 1)
    low, high = axis.transAxes.inverted().transform(axis.transData.transform([(0, y) for y in axis.get_ylim()]))[:, 1]
    ends = [(0, low - (0 if above else room)), (0, high + (room if above else 0))]
    limits = axis.transData.inverted().transform(axis.transAxes.transform(ends))[:, 1]
    axis.set_ylim(*limits)
    at = (0.98, 0.98 if above else 0.02)
    axis.text(
        *at, text, transform=axis.transAxes, ha="right", va="top" if above else "bottom", fontsize=_SIZE, color=colour
    )
