"""What several rooms of tests ask of a report: a plot drawn, its legend, a table's cells, nothing that overlaps."""

import itertools
import re
from functools import cache

import matplotlib
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from benchmark.report.declarations import Style
from benchmark.report.frame import Results, read
from benchmark.report.grid import Grid
from benchmark.report.plots import PLOTS
from benchmark.report.plots.page import page, set_figure
from benchmark.report.still_axes import lay_out
from benchmark.report.style import RC, arm_styles
from benchmark.report.table import Table
from benchmark.report.tables import TABLES

ARMS = ("vq_vae", "residual_vq", "simvq", "no_quantization")
read_once = cache(read)


def draw(folder, name: str) -> Figure | None:
    return draw_results(read(folder), name)


def draw_results(results: Results, name: str, style: Style | None = None) -> Figure | None:
    """The plot ``name``, not laid out yet; ``style``: of the paper that it is for."""
    style = style or Style()
    with matplotlib.rc_context(RC), page(style):
        figure = PLOTS.all()[name].draw(Grid(results), arm_styles(results.plan["arms"], []))
        if figure is not None:
            set_figure(figure, style)
    return figure


def legend_of(figure: Figure | None) -> list[str]:
    assert figure is not None
    return [text.get_text() for text in figure.legends[0].get_texts()]


def assert_apart(figure: Figure | None, within: int = 2) -> None:
    """Lay the figure out as a report does; nothing in it covers anything, and nothing is outside."""
    assert figure is not None
    assert_labels_apart(figure)
    boxes = [axis.get_tightbbox() for axis in figure.axes] + [legend.get_window_extent() for legend in figure.legends]
    page = figure.bbox
    for box in boxes:
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y0 >= page.y0 - 1
        assert box.y1 <= page.y1 + 1
    for one, other in itertools.combinations(boxes, 2):
        width, height = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(width, height) < within


def assert_labels_apart(figure: Figure | None) -> None:
    """The same of the labels of ticks alone."""
    assert figure is not None
    with matplotlib.rc_context(RC):
        lay_out(figure)
        for axis in (side for panel in figure.axes for side in (panel.xaxis, panel.yaxis)):
            axis.get_tightbbox()  # places its ticks where the layout has put it
            assert_readable(axis)


def assert_readable(axis: Axis) -> None:
    """No two labels of the ticks that are drawn cover each other."""
    low, high = sorted(axis.get_view_interval())
    labels = [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [label.get_window_extent() for label in labels if label.get_visible() and label.get_text()]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other), [label.get_text() for label in labels]


def table(folder, name: str = "main") -> Table | None:
    results = read(folder)
    return TABLES[name](Grid(results))


def rows(built: Table | None) -> dict[tuple[str, str], list[str]]:
    """Cells as Markdown by heading of the block and first cell without its marks."""
    assert built is not None
    return {
        (block.heading, re.sub(r"<sup>.*</sup>", "", row[0].markdown())): [cell.markdown() for cell in row]
        for block in built.blocks
        for row in block.rows
    }
