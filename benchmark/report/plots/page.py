"""The place that a plot has on a paper's page: its width, and letters of the size that is wanted there."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.report.declarations import Style

COLUMNS = {"single": 3.35, "double": 6.9}
"""Inches of a column, and of both, on a page with two."""
USUAL_SIZE = 9.0
"""Points of the letters that plots are drawn with, headings and ticks about a tenth more or less."""
PAPER_SIZE = 8.0
_WIDTH: ContextVar[float | None] = ContextVar("width of the page", default=None)


@contextmanager
def page(style: Style) -> Iterator[None]:
    """Within it plots are laid out for the width that ``style`` gives them, if any."""
    token = _WIDTH.set(_inches(style))
    try:
        yield
    finally:
        _WIDTH.reset(token)


def page_width() -> float | None:
    """Inches that a plot has; None where it may be as wide as it likes."""
    return _WIDTH.get()


def set_figure(figure: Figure, style: Style) -> None:
    """Give a figure the width and the letters of ``style``; what was placed by the inch shrinks as a whole."""
    width = _inches(style)
    wanted = style.font_size or (PAPER_SIZE if width else USUAL_SIZE)
    letters = wanted / USUAL_SIZE
    now, height = figure.get_size_inches()
    if width and abs(now - width) > 0.01:
        figure.set_size_inches(width, height * width / now)
        letters *= 1.0 if figure.get_layout_engine() else width / now
    if letters == 1.0:
        return
    ticks = {axis: axis.get_ticklabels()[:1] for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)}
    sizes = {axis: letters * float(labels[0].get_fontsize()) for axis, labels in ticks.items() if labels}
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontsize(letters * float(text.get_fontsize()))
    for axis, size in sizes.items():
        axis.set_tick_params(which="both", labelsize=size)


def _inches(style: Style) -> float | None:
    return style.width or (COLUMNS[style.column] if style.column else None)
