"""What every plot shares: the interface, the figure with one legend outside its axes, and the axis of the grid."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from benchmark.report.columns import Column
from benchmark.report.grid import Grid
from benchmark.report.places import CODEBOOK_SIZE, Axis, Place, text
from benchmark.report.plots.page import page_width
from benchmark.report.plots.scales import Even, Thinned, is_wide
from benchmark.report.style import CEILING, Style

BAND_ALPHA = 0.13
LEAST_RUNS = 3
"""Runs from which an interval is drawn; that of two is 13 times as wide as they are apart, and would hide all else."""
RUN: dict[str, Any] = {"linestyle": "none", "marker": ".", "markersize": 4, "alpha": 0.5}
"""A single run beside the mean over several."""
PANELS_A_ROW = 4
LETTER = 0.09
"""Inches of a panel that a letter of its title takes, margins counted."""
LEAST_PANEL = 1.6
"""Inches of a panel that a paper's column must have for each."""


class Plot(ABC):
    """One figure, a pure function of a results folder."""

    name: str

    @abstractmethod
    def draw(self, grid: Grid, styles: dict[str, Style]) -> Figure | None:
        """The figure; None where there is nothing to show."""


def last_runs(grid: Grid) -> Iterator[tuple[str, str, str]]:
    """Arms that have runs, each with a label and the key of its lowest seed at the last place of the grid it has."""
    for arm in grid.arms:
        keys = ((place, grid.first_key(arm, place)) for place in reversed(grid.places))
        place, key = next((found for found in keys if found[1] is not None), (None, None))
        if place is not None and key is not None:
            yield arm, arm if arm in grid.size_free else f"{arm}\nK = {place.size:,}", key


def wrapped(count: int, at_most: int) -> tuple[int, int]:
    """Rows and columns for ``count`` panels, no more than ``at_most`` in a row and the last row well filled."""
    rows = -(-count // _in_a_row(at_most))
    return rows, -(-count // rows)


def wrapped_places(places: Sequence[Place], at_most: int) -> tuple[int, int]:
    """Rows and columns for a panel a place; a row is a setting of the further axes, where each has all sizes."""
    sizes = list(dict.fromkeys(place.size for place in places))
    rows = len(places) // len(sizes)
    if 1 < len(sizes) <= _in_a_row(at_most) and [place.size for place in places] == sizes * rows:
        return rows, len(sizes)
    return wrapped(len(places), at_most)


def _in_a_row(at_most: int) -> int:
    """How many panels, of ``at_most``, a page has room for."""
    width = page_width()
    return max(1, min(at_most, int(width / LEAST_PANEL))) if width else at_most


def panels(rows: int, columns: int, *, width: float, height: float, **sharing: Any) -> tuple[Figure, list[list[Axes]]]:
    """A figure of ``rows`` × ``columns`` axes of ``width`` × ``height`` inches, laid out without overlap.

    In a paper its columns share the width that there is.
    """
    figure = Figure(figsize=(page_width() or columns * width, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **sharing)
    for side in (side for panel in axes.flat for side in (panel.xaxis, panel.yaxis)):
        side.set_major_locator(Even())
    return figure, [list(row) for row in axes]


def set_title(axes: Axes, title: str) -> None:
    """Name a panel of a figure that has no legend yet: a line a part where the whole is wider than the panel."""
    grid, figure = axes.get_gridspec(), axes.get_figure(root=True)
    assert grid is not None
    assert figure is not None
    fits = LETTER * len(title) <= figure.get_figwidth() / grid.ncols
    axes.set_title(title if fits else title.replace(" · ", "\n"))


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """One legend right of all axes; the figure grows by its width, so that the axes keep theirs. In a paper, below."""
    if page_width():
        legend_outside(figure, handles)
        return
    longest = max(len(str(handle.get_label())) for handle in handles)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + 0.62 + 0.078 * longest, max(height, 0.35 + 0.19 * len(handles)))
    figure.legend(handles=list(handles), loc="outside right upper", handlelength=2.6)


def legend_outside(figure: Figure, handles: Sequence[Line2D]) -> None:
    """One legend below all axes, above them where their common label is below; the figure grows by its height."""
    width, height = figure.get_size_inches()
    columns = max(1, min(len(handles), int(width / (0.5 + 0.078 * max(len(str(h.get_label())) for h in handles)))))
    figure.set_size_inches(width, height + 0.15 + 0.19 * -(-len(handles) // columns))
    figure.legend(
        handles=list(handles),
        loc="outside upper center" if figure.get_supxlabel() else "outside lower center",
        ncols=columns,
        handlelength=1.6,
    )


def arm_handles(arms: Sequence[str], styles: dict[str, Style], *, rules: Sequence[str] = ()) -> list[Line2D]:
    """Legend entries of arms as lines with markers; those in ``rules`` are drawn as a bare line across."""
    looks = [{**styles[arm].curve(), **({"marker": "none"} if arm in rules else {})} for arm in arms]
    return [Line2D([], [], label=styles[arm].label(arm), **look) for arm, look in zip(arms, looks, strict=True)]


def point_handles(arms: Sequence[str], styles: dict[str, Style]) -> list[Line2D]:
    """Legend entries of arms as markers."""
    return [Line2D([], [], label=styles[arm].label(arm), linestyle="none", **styles[arm].point()) for arm in arms]


def ceiling_handle(label: str) -> Line2D:
    """Legend entry of a ceiling or bound."""
    return Line2D([], [], label=label, **CEILING)


def run_handle() -> Line2D:
    """Legend entry of single runs."""
    return Line2D([], [], label="single runs", color="#444444", **RUN)


def size_label(size: float) -> str:
    """``1,024``, from ten thousand on ``16k`` where it is a whole number of 1,024s."""
    return f"{size / 1024:,.0f}k" if size >= 10_000 and size % 1024 == 0 else text(size)


def grid_axis(axes: Axes, axis: Axis) -> None:
    """The horizontal axis along an axis of the grid, after the curves: a tick a value, logarithmic where it is wide.

    Numbers are thinned where they have no room; words are not, since nobody can tell what stands between two.
    """
    if is_logarithmic(axis):
        axes.set_xscale("log", base=2)
    labels = {position(axis, value): size_label(value) if axis.numeric else text(value) for value in axis.values}
    axes.xaxis.set_major_locator((Thinned if axis.numeric else FixedLocator)(list(labels)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: labels.get(at, f"{at:g}")))
    axes.xaxis.set_minor_locator(FixedLocator(list(labels)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(axis.label)
    if not is_logarithmic(axis) and len(labels) > 1:
        room = 0.06 * (max(labels) - min(labels)) if axis.numeric else 0.5
        first, last = axes.get_xlim()  # wider where arms stand apart
        axes.set_xlim(min(first, min(labels) - room), max(last, max(labels) + room))


def is_logarithmic(axis: Axis) -> bool:
    """Whether the values are sizes of some kind: positive and far apart."""
    if not axis.numeric or axis.name == CODEBOOK_SIZE:
        return axis.numeric
    values = [float(value) for value in axis.values]
    return min(values) > 0 and is_wide(values)


def position(axis: Axis, value: Any) -> float:
    """Where a value of ``axis`` stands: a number at itself, words one after another."""
    return float(value) if axis.numeric else float(axis.values.index(value))


def dodged(axis: Axis, at: float, share: float) -> float:
    """``at`` moved by ``share`` of an octave, or of the least distance between neighbours and a third of the whole."""
    if is_logarithmic(axis):
        return float(at * 2**share)
    places = sorted(position(axis, value) for value in axis.values)
    gaps = [after - before for before, after in itertools.pairwise(places)]
    return at + share * min([*gaps, (places[-1] - places[0]) / 3] if gaps else [1.0])


def clipped(column: Column, low: np.ndarray, high: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A band within what the quantity can be; a logarithmic axis needs a positive lower end."""
    if column.percent:
        return low.clip(0, 100), high.clip(0, 100)
    if column.lowest is not None:
        return low.clip(min=column.lowest), high
    return np.where(means > 0, low.clip(min=np.abs(means) * 0.05), low), high


def ceiling(column: Column, grid: Grid, place: Place) -> float | None:
    """Usage: 1 - (1 - 1/K)^N, as recorded. Perplexity: the smaller of K and N. Of others: none."""
    if column.name == "usage":
        recorded = grid.shared(place, "ceiling")
        return None if recorded is None else recorded * column.scale
    if column.name == "perplexity":
        tokens = grid.shared(place, "tokens")
        return float(place.size) if tokens is None else min(float(place.size), tokens)
    return None
