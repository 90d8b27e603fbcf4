"""Rows of dots: what few arms have far from all others is told at the edge, and the others get the room."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reported import assert_apart, draw_results, read_once

from benchmark.report.declarations import Style
from benchmark.report.frame import Results
from benchmark.report.places import Place
from benchmark.report.plots.far import Cell, Extent, far_away
from benchmark.report.quantities import distortion_columns

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module

ARMS = ("vq_vae", "vq_vae_ema", "codebook_reset", "residual_vq", "simvq", "lfq")
ONE, OTHER = Place((256,)), Place((1024,))
TITLE = "far away: value at the edge"


def _cells(*means: float, half: float = 0.0, place: Place = ONE) -> dict[Cell, Extent]:
    return {(f"arm{number}", place): Extent(mean - half, mean, mean + half) for number, mean in enumerate(means)}


@pytest.mark.parametrize(
    ("means", "half", "far"),
    [
        ([20.0, 20.2, 20.4, 9.0], 0.1, {3: -1}),
        ([20.0, 20.2, 20.4, 49.1], 0.1, {3: 1}),
        ([20.0, 20.2, 20.4, 9.0], 2.0, {}),  # intervals take the room
        ([20.0, 20.2, 9.0], 0.0, {}),  # two have nothing to be pressed
        ([20.0, 20.2, 20.4, 9.0, 9.1], 0.1, {}),
        ([20.0, 20.2, 20.4, 20.6, 9.0, 9.1], 0.1, {4: -1, 5: -1}),
        ([20.0, 20.2, 20.4, 20.6, 9.0, 49.1], 0.1, {4: -1, 5: 1}),
        ([20.0, 20.2, 20.4, 20.6, 40.0, 2000.0], 0.1, {4: 1, 5: 1}),  # behind the farthest there is another
        ([20.0, 20.0, 20.0, 9.0], 0.0, {}),  # nothing to tell apart
        # Without the farthest the others have a logarithmic axis, or a linear one.
        ([0.01, 0.1, 0.5, 1.0, 1e9], 0.0, {4: 1}),
        ([0.01, 0.1, 0.5, 1.0, 40.0], 0.0, {}),
        ([0.01, 0.1, 0.5, 1.0, 0.0], 0.0, {4: -1}),
        ([0.04, 0.045, 0.05, 0.6], 0.001, {3: 1}),
        # A scale that is linear only without them makes none far.
        ([0.02, 0.05, 0.06, 0.07, 0.13, 0.38, 3.0, 5.0], 0.0, {}),
    ],
)
def test_far_away(means: list[float], half: float, far: dict[int, int]):
    found = far_away(_cells(*means, half=half))
    assert {int(arm.removeprefix("arm")): side for (arm, _), side in found.items()} == far


def test_places_with_one_axis_decide_together():
    calm = _cells(20.0, 20.2, 20.4, 20.5)
    assert far_away(calm | _cells(20.1, 20.3, 20.4, 9.0, place=OTHER)) == {("arm3", OTHER): -1}
    assert far_away(calm | _cells(9.0, 9.1, 9.2, 9.3, place=OTHER)) == {}


def _results(shared: Make, psnr: dict[str, float], sizes: tuple[int, ...] = (256,), step: float = 0.05) -> Results:
    """Three seeds an arm, whose PSNR is ``step`` apart and all that is known of their distortion."""
    results = read_once(shared(ARMS, sizes=sizes, seeds=3, artefacts=False).folder)
    cells = results.cells.drop(columns=[column.name for column in distortion_columns(results)])
    middles = [psnr.get(arm, 20 + 0.1 * ARMS.index(arm)) for arm in cells["arm"]]
    return replace(results, cells=cells.assign(psnr=middles + step * (cells["seed"] - 1)))


def _drawn(results: Results, name: str = "distortion", style: Style | None = None) -> tuple[Figure, Axes]:
    figure = draw_results(results, name, style)
    assert figure is not None
    assert_apart(figure)
    return figure, next(axis for axis in figure.axes if axis.get_xlabel().startswith("PSNR"))


def _line_above(figure: Figure) -> str:
    return figure.get_suptitle()


@pytest.mark.parametrize(("value", "told"), [(9.0, "← 9.00"), (49.1, "49.10 →")])
def test_a_collapsed_arm_is_told_at_the_edge(shared_synthetic: Make, value: float, told: str):
    figure, panel = _drawn(_results(shared_synthetic, {"lfq": value}))
    [text] = [text for text in panel.texts if text.get_text() != "–"]
    assert text.get_text() == told
    assert text.get_position() == (0.02 if value < 20 else 0.98, ARMS.index("lfq"))
    assert all(19 < low < high < 21 for low, high in [panel.get_xlim()])
    assert not any(set(line.get_ydata()) == {ARMS.index("lfq")} for line in panel.get_lines())
    assert TITLE in _line_above(figure)


def test_what_is_not_far_is_drawn_and_not_spoken_of(shared_synthetic: Make):
    figure, panel = _drawn(_results(shared_synthetic, {}))
    assert not panel.texts
    assert TITLE not in _line_above(figure)


def test_what_is_far_does_not_choose_the_scale(shared_synthetic: Make):
    _, panel = _drawn(_results(shared_synthetic, {"lfq": 1e4}))
    assert panel.get_xscale() == "linear"
    spread = {arm: 10.0**number for number, arm in enumerate(ARMS)}
    _, panel = _drawn(_results(shared_synthetic, spread))
    assert panel.get_xscale() == "log"
    assert not panel.texts


def _of_codes(shared: Make, metric: str, middle: float, step: float, lfq: float) -> Axes:
    """The panel of ``metric``, of which `lfq` has far another value than the others."""
    results = read_once(shared(ARMS, sizes=(256,), seeds=3, artefacts=False).folder)
    values = {arm: lfq if arm == "lfq" else middle + step * number for number, arm in enumerate(ARMS)}
    cells = results.cells.assign(**{metric: results.cells["arm"].map(values)})
    figure = draw_results(replace(results, cells=cells), "usage")
    assert figure is not None
    return next(axis for axis in figure.axes if axis.get_xlabel().startswith(metric.capitalize()))


def test_a_share_keeps_its_axis(shared_synthetic: Make):
    usage = _of_codes(shared_synthetic, "usage", 0.9, 0.01, 0.01)
    assert usage.get_xlim() == (-3, 104)
    assert not usage.texts


def test_an_axis_that_has_a_ceiling_reaches_it(shared_synthetic: Make):
    panel = _of_codes(shared_synthetic, "perplexity", 20.0, 0.1, 120.0)
    assert not panel.texts
    assert panel.get_xlim()[1] > 256


def test_wide_intervals_leave_no_label_covered(shared_synthetic: Make):
    """On a logarithmic axis the view reaches as far as the intervals, which the values don't tell."""
    values = {arm: 0.7 - 0.02 * number for number, arm in enumerate(ARMS)} | {"simvq": 0.04, "lfq": 0.04, "vq_vae": 0.2}
    results = _results(shared_synthetic, values, step=0.0158)
    for style in (None, Style(column="single")):
        _, panel = _drawn(results, style=style)
        assert panel.get_xscale() == "log"


def test_a_paper_has_the_edge_too(shared_synthetic: Make):
    figure, panel = _drawn(_results(shared_synthetic, {"lfq": 9.0}), style=Style(column="single"))
    assert [text.get_text() for text in panel.texts] == ["← 9.00"]
    assert TITLE in _line_above(figure).splitlines()
