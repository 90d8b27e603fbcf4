"""Which axis is logarithmic, and ticks of any: as fine as their labels have room in the view that is drawn."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import matplotlib
import matplotlib.axis
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import AutoLocator, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

LOG_SPREAD = 15.0
"""Largest over smallest value from which an axis is logarithmic."""
_MOST_TICKS = 9
_STEPS = (1, 2, 2.5, 5, 10)
_LETTER, _POINT, _GAP, _LINE = 0.64, 0.32, 0.5, 1.5
"""What labels take, in heights of their letters: a letter, a point, what parts two labels, a line with its margins."""


def is_wide(values: Sequence[float]) -> bool:
    """Whether values spread so far that a logarithmic axis shows them better.

    Zeros don't count: what has no error at all lies below such an axis, and would press the others together on another.
    """
    positive = [value for value in values if value > 0]
    return len(positive) > 1 and min(values) >= 0 and max(positive) / min(positive) > LOG_SPREAD


def scale(axis: matplotlib.axis.Axis, values: Sequence[float]) -> bool:
    """Make the axis of ``values`` logarithmic, with plain numbers, where they are wide; whether it is."""
    if wide := is_wide(values):
        make_logarithmic(axis)
    return wide


def make_logarithmic(axis: matplotlib.axis.Axis) -> None:
    """With plain numbers at 1, 2 and 5 of each decade, or at fewer where the view has no room for all."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})  # type: ignore[attr-defined]
    axis.set_major_locator(_Decades())
    axis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,g}"))
    axis.set_minor_locator(NullLocator())


class Thinned(FixedLocator):
    """Ticks at places, or at every second, third … of them where the labels of all have no room."""

    def __call__(self) -> Any:
        """The finest that the view has room for."""
        return _finest(self.axis, _thinned(super().__call__()))


class Even(AutoLocator):
    """Matplotlib's ticks of a linear axis; fewer where their labels, which it does not measure, have no room."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The finest that the view from ``vmin`` to ``vmax`` has room for."""
        usual = super().tick_values(vmin, vmax)
        fewer = (MaxNLocator(bins, steps=_STEPS).tick_values(vmin, vmax) for bins in range(_MOST_TICKS, 0, -1))
        return _finest(self.axis, itertools.chain([usual], fewer, _thinned(_seen(self.axis, usual))))


class _Decades(LogLocator):
    def tick_values(self, vmin: float, vmax: float) -> Any:
        return _finest(self.axis, _within(*sorted((vmin, vmax))))


def _within(low: float, high: float) -> Iterator[Sequence[float]]:
    """Ticks from ``low`` to ``high``, the finest first."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    parts = ((1, 2, 5), (1, 3), (1,))
    found = [
        [at for decade in decades for part in some if low <= (at := part * 10.0**decade) <= high] for some in parts
    ]
    yield from (ticks for ticks in (*found, *_thinned(found[-1])) if len(ticks) <= _MOST_TICKS)


def _thinned(ticks: Sequence[float]) -> Iterator[Sequence[float]]:
    return (ticks[::step] for step in range(1, 1 + len(ticks)))


def _finest(axis: Any, choices: Iterable[Sequence[float]]) -> Sequence[float]:
    """The first of ``choices`` whose labels stand apart on ``axis``, else the last."""
    ticks: Sequence[float] = []
    for ticks in choices:
        if _stand_apart(axis, _seen(axis, ticks)):
            break
    return ticks


def _seen(axis: Any, ticks: Sequence[float]) -> Any:
    """Those in view, ascending."""
    low, high = np.sort(axis.get_view_interval())
    return np.array([tick for tick in sorted(ticks) if low <= tick <= high])


def _stand_apart(axis: Any, ticks: np.ndarray) -> bool:
    low, high = np.sort(axis.get_view_interval())
    at = axis.get_transform().transform(np.array([low, *ticks, high]))
    gaps = np.diff(at[1:-1]) / (at[-1] - at[0]) * _room(axis)
    if axis.axis_name == "y":
        return bool((gaps >= _LINE).all())
    widths = np.array([_width(label) for label in axis.get_major_formatter().format_ticks(ticks)])
    return bool((gaps >= (widths[1:] + widths[:-1]) / 2 + _GAP).all())


def _room(axis: Any) -> float:
    """The length of an axis, in heights of the letters of its labels."""
    box, name = axis.axes.get_window_extent(), axis.axis_name
    usual = matplotlib.rcParams["xtick.labelsize" if name == "x" else "ytick.labelsize"]
    size = axis.get_tick_params().get("labelsize", usual)
    length = (box.width if name == "x" else box.height) / axis.axes.get_figure(root=True).dpi
    return float(72 * length / FontProperties(size=size).get_size_in_points())


def _width(label: str) -> float:
    return _LETTER * len(label) - (_LETTER - _POINT) * sum(label.count(sign) for sign in ".,")
