"""Yardsticks beside curves: in the panel where the curves stay readable, else told at its edge."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from benchmark.report.columns import Column
from benchmark.report.plots.far import TOLD_SIZE, is_far
from benchmark.report.style import Style

_LINE = 0.07
"""Share of a panel's height that a line of text takes."""


def draw_rules(
    axis: Axes,
    rules: Sequence[tuple[str, float]],
    curves: Sequence[float],
    column: Column,
    styles: Mapping[str, Style],
    beyond: Mapping[str, Sequence[float]],
) -> dict[str, float]:
    """A line across for each arm and value of ``rules``, as printed, beside ``curves``; of those drawn the last value.

    ``beyond``: arms whose own curves are too far away, and those curves. After all else that sets the limits: what is
    told at the edge makes room for itself there.
    """
    drawn: dict[str, float] = {}
    far = [(arm, [values[0], values[-1]]) for arm, values in beyond.items()]
    for arm, value in rules:
        if not is_far(value, curves):
            axis.axhline(value, color=styles[arm].colour, linestyle=styles[arm].line, linewidth=1.4)
            drawn[arm] = value
        else:
            far.append((arm, [value]))
    for sign, above in (("↑", True), ("↓", False)):
        told = [(arm, ends) for arm, ends in far if (ends[-1] > max(curves)) is above]
        if told:
            lines = [f"{sign} {arm} {_printed(ends, column)}" for arm, ends in told]
            _tell(axis, lines, styles[told[0][0]].colour, above=above)
    return drawn


def _printed(ends: Sequence[float], column: Column) -> str:
    return " to ".join(dict.fromkeys(column.number(end / column.scale) for end in ends))


def _tell(axis: Axes, lines: Sequence[str], colour: str, *, above: bool) -> None:
    """A text at the upper or lower edge, where the limits grow so that no curve comes."""
    room = _LINE * len(lines)
    axis.get_ylim()  # until they are asked for, limits are not those of what is drawn
    ends = [(0.0, 0.0 if above else -room), (0.0, 1.0 + room if above else 1.0)]
    axis.set_ylim(*axis.transData.inverted().transform(axis.transAxes.transform(ends))[:, 1])
    where: dict[str, Any] = {"y": 0.98, "va": "top"} if above else {"y": 0.02, "va": "bottom"}
    axis.text(
        x=0.98, s="\n".join(lines), transform=axis.transAxes, ha="right", fontsize=TOLD_SIZE, color=colour, **where
    )
