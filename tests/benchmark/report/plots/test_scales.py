"""Which axis is logarithmic, and ticks that follow the view and the room there is."""

from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from reported import assert_readable

from benchmark.report.plots.scales import Even, Thinned, is_wide, make_logarithmic, scale

WIDE, SMALL = 2.6, 1.2
"""Inches of a panel, alone and in a paper's column."""


def _only_axis(inches: float, side: str = "x") -> Any:
    """An axis as long as that, of a figure that draws nothing else."""
    figure = Figure(figsize=(3, inches) if side == "y" else (inches, 3))
    FigureCanvasAgg(figure)  # and not another renderer for every label
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    return axes.xaxis if side == "x" else axes.yaxis


def _ticks(axis: Any, view: tuple[float, float]) -> list[str]:
    """The labels of an axis in ``view``, none of which covers another."""
    axis.axes.set(**{f"{axis.axis_name}lim": view})
    axis.get_tightbbox()  # places the ticks, as drawing does
    assert_readable(axis)
    low, high = view
    return [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def test_an_axis_is_logarithmic_where_what_is_not_zero_spreads():
    assert is_wide([0.0, 0.01, 2.0])
    assert not is_wide([0.0, 0.01, 0.1])
    assert not is_wide([-1.0, 0.01, 2.0])
    assert not is_wide([0.0, 2.0])


@pytest.mark.parametrize(
    ("view", "inches", "side", "ticks"),
    [
        ((0.02, 1.0), WIDE, "x", ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]),
        ((0.02, 1.0), SMALL, "x", ["0.03", "0.1", "0.3", "1"]),
        ((0.0015, 1.2), WIDE, "x", ["0.003", "0.01", "0.03", "0.1", "0.3", "1"]),
        ((0.0015, 1.2), WIDE, "y", ["0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]),
        ((0.0015, 1.2), 0.8, "y", ["0.01", "0.1", "1"]),
        ((1.0, 2e6), SMALL, "x", ["1", "1,000", "1e+06"]),
        ((1e-9, 1e9), WIDE, "y", [f"{10.0**power:,g}" for power in range(-9, 10, 3)]),
    ],
)
def test_ticks_are_as_fine_as_their_labels_have_room(
    view: tuple[float, float], inches: float, side: str, ticks: list[str]
):
    axis = _only_axis(inches, side)
    make_logarithmic(axis)
    assert _ticks(axis, view) == ticks


@pytest.mark.parametrize("inches", [0.5, 0.8, 1.2, 2.0, 4.0])
@pytest.mark.parametrize("side", ["x", "y"])
def test_no_label_covers_another(inches: float, side: str):
    axis = _only_axis(inches, side)
    make_logarithmic(axis)
    for low in (1e-8, 0.00011, 0.03, 7.0, 90_000.0):
        for spread in (15, 40, 200, 3000, 1e6, 1e12):
            assert _ticks(axis, (low, low * spread))


def test_what_decides_is_the_view_and_not_the_values():
    figure = Figure(figsize=(2.0, 2.0), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.0002, 0.9], [0, 0])  # an interval
    assert scale(axes.xaxis, [0.03, 0.7])
    figure.draw_without_rendering()
    assert_readable(axes.xaxis)


def test_sizes_are_thinned_evenly():
    figure = Figure(figsize=(SMALL, 2.0))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(Thinned([256, 512, 1024, 2048, 4096, 8192]))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlim(200, 9000)
    assert list(axes.xaxis.get_majorticklocs()) == [256, 2048]
    figure.set_size_inches(8, 2)
    assert list(axes.xaxis.get_majorticklocs()) == [256, 512, 1024, 2048, 4096, 8192]


@pytest.mark.parametrize(("low", "high"), [(0.0265, 0.056), (-0.004, 0.1), (0, 16_000), (19_990, 20_010)])
def test_a_linear_axis_has_room_for_its_labels(low: float, high: float):
    for inches in (0.3, 0.6, SMALL, WIDE):
        axis = _only_axis(inches)
        axis.set_major_locator(Even())
        _ticks(axis, (low, high))
    assert len(axis.get_majorticklocs()) > 3
