"""Axes whose ticks are laid out once a place: Matplotlib asks each of them nine times for what has not changed."""

from typing import Any

from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

_REMEMBERED = ("_update_ticks", "_get_ticklabel_bboxes", "_update_label_position", "get_tightbbox")
"""Methods of an axis whose answer, and what they change, depends on where the axis is drawn and on nothing else."""


def lay_out(figure: Figure) -> None:
    """Place what is in a figure that nobody changes any more, once for whatever formats it is written in."""
    hold_still(figure)
    FigureCanvasAgg(figure)  # whose one renderer measures texts for the layout and draws them
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    figure.set_layout_engine(None)  # and not "none", which draws each format once more to place what is placed already


def hold_still(figure: Figure) -> None:
    """Let every axis of a figure that nobody changes any more remember its ticks and the boxes around them.

    They are computed anew where the limits, the place of the axes, the dots per inch or the renderer are others than
    at the last time: the same picture to the last byte, in less time.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for name in _REMEMBERED:
                if hasattr(axis, name):  # of this version of Matplotlib
                    setattr(axis, name, _Remembering(axis, figure, getattr(axis, name)))


class _Remembering:
    """A method of an axis that gives its last answer again while nothing has moved."""

    def __init__(self, axis: Axis, figure: Figure, method: Any) -> None:
        self._axis, self._figure, self._method = axis, figure, method
        self._asked: object = None
        self._answer: Any = None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        asked = (self._place(), arguments, options)
        if asked != self._asked:
            self._answer = self._method(*arguments, **options)
            self._asked = (self._place(), arguments, options)
        answer = self._answer
        return Bbox(answer.get_points().copy()) if isinstance(answer, Bbox) else answer

    def _place(self) -> tuple[object, ...]:
        low, high = self._axis.get_view_interval()
        return low, high, self._axis.axes.get_window_extent().bounds, self._figure.dpi
