"""Time and memory against codebook size, one line a contender."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.perf.cases import OURS, Group
from benchmark.perf.search import ALL_PAIRS, IN_TILES, TRAINED
from benchmark.perf.steps import STEPS
from benchmark.report.places import CODEBOOK_SIZE, Axis
from benchmark.report.plots.base import grid_axis, legend, panels, wrapped
from benchmark.report.style import RC

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, without yellow."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_SEARCHES = "its searches alone"
_LIMITS = {
    "matrix product alone": (0, (1, 1.5)),
    "matrix product alone, TF32": (0, (5, 1.5, 1, 1.5)),
    _SEARCHES: (0, (1, 1.5)),
}


def write_plots(frame: pd.DataFrame, folder: Path) -> None:
    """``search``, ``trained`` and ``steps`` as PNG and PDF in ``folder``."""
    figures = {"search": search_figure(frame), "trained": trained_figure(frame), "steps": steps_figure(frame)}
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png")
        # Without a date, so that the same measurements give the same file.
        figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})


def search_figure(frame: pd.DataFrame) -> Figure:
    """Time of the search against K, a panel for each D at the most N measured for all of them; then extra memory."""
    part = frame[frame["group"] == "search"]
    dims = sorted(part["dim"].unique())
    rows = max(set.intersection(*(set(part[part["dim"] == dim]["rows"]) for dim in dims)))
    timed, weighed = part[part["rows"] == rows], part[part["extra_mb"].notna()]
    with matplotlib.rc_context(RC):
        figure, [axes] = panels(1, len(dims) + (not weighed.empty), width=2.8, height=2.8)
        for panel, dim in zip(axes, dims, strict=False):
            if panel is not axes[0]:
                panel.sharey(axes[0])  # before its lines, which move the limits of all
            _lines(panel, timed[timed["dim"] == dim], "seconds")
            panel.set_title(f"Seconds, D = {dim}, N = {rows:,}")
        if not weighed.empty:
            rows, dim = weighed[["rows", "dim"]].value_counts().index[0]
            _lines(axes[-1], weighed[(weighed["rows"] == rows) & (weighed["dim"] == dim)], "extra_mb")
            axes[-1].set_title(f"Extra MB, D = {dim}, N = {rows:,}")
        legend(figure, _handles(timed))
    return figure


def trained_figure(frame: pd.DataFrame) -> Figure:
    """Time of the search in trained codebooks against K."""
    return _by_group(frame, TRAINED, "Seconds a search")


def steps_figure(frame: pd.DataFrame) -> Figure:
    """Time of each method's quantizer step against K, and of its searches alone."""
    return _by_group(_with_searches(frame), STEPS, "Seconds a step")


def _by_group(frame: pd.DataFrame, groups: Sequence[Group], label: str) -> Figure:
    part = frame[frame["group"].isin([group.name for group in groups])]
    part = part[part["rows"] == part["rows"].max()]
    rows, columns = wrapped(len(groups), 3)
    with matplotlib.rc_context(RC):
        figure, axes = panels(rows, columns, width=3.0, height=2.4, sharey=True)
        for index, group in enumerate(groups):
            panel = axes[index // columns][index % columns]
            _lines(panel, part[part["group"] == group.name], "seconds")
            panel.set_title(group.title)
        for unused in axes[-1][len(groups) - (rows - 1) * columns :]:
            unused.remove()
        for row in axes:
            row[0].set_ylabel(label)
        legend(figure, _handles(part))
    return figure


def _with_searches(part: pd.DataFrame) -> pd.DataFrame:
    own = part[part["search_share"].notna()]
    return pd.concat([part, own.assign(contender=_SEARCHES, seconds=own["seconds"] * own["search_share"])])


def _lines(axes: Axes, part: pd.DataFrame, quantity: str) -> None:
    for contender in part["contender"].unique():
        line = part[(part["contender"] == contender) & part[quantity].notna()].sort_values("size")
        # A logarithmic axis has no place for an operation that needs no memory at all.
        axes.plot(line["size"], line[quantity].clip(lower=1.0 if quantity == "extra_mb" else 0.0), **_look(contender))
    axes.set_yscale("log")
    grid_axis(axes, Axis(CODEBOOK_SIZE, tuple(sorted(part["size"].unique().tolist()))))


def _handles(part: pd.DataFrame) -> list[Line2D]:
    measured = part[part["seconds"].notna()]["contender"].unique()
    return [Line2D([], [], label=name, **_look(name)) for name in measured]


def _look(contender: str) -> dict[str, Any]:
    others = ("faiss.knn", "torch.cdist, argmin", "formula, argmin", "vector-quantize-pytorch")
    known = (OURS, *others, ALL_PAIRS, IN_TILES)
    if contender in _LIMITS:
        return {"color": "#555555", "linestyle": _LIMITS[contender], "marker": "none"}
    index = known.index("formula, argmin" if contender == "formula" else contender)
    return {"color": _COLOURS[index], "marker": _MARKERS[index], "markeredgecolor": "white", "markeredgewidth": 0.6}
