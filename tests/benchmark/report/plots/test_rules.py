"""Lines across: in the panel where the curves stay readable, else their value at the edge."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from reported import assert_apart, draw_results, read_once

from benchmark.report.frame import Results
from benchmark.report.plots.far import is_far
from benchmark.report.quantities import distortion_columns

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module

REFERENCE = "no_quantization"
CODED = ("vq_vae", "residual_vq", "simvq")


@pytest.mark.parametrize(
    ("value", "curves", "far"),
    [
        (49.4, [24.2, 26.1], True),
        (28.0, [24.2, 26.1], False),
        (1.0, [24.2, 26.1], True),
        (0.0002, [0.012, 0.019], False),
        (0.0002, [0.0118, 0.0119], True),
        # Curves on a logarithmic axis: what counts are factors, and zero lies beyond any.
        (0.001, [0.01, 1.0], False),
        (1e-7, [0.01, 1.0], True),
        (0.0, [0.01, 1.0], True),
        (5.0, [2.0, 2.0], False),
        (5.0, [], False),
    ],
)
def test_is_far(value: float, curves: list[float], far: bool):
    assert is_far(value, curves) is far


def _results(shared: Make, yardstick: str, mse: dict[int, float]) -> Results:
    """Curves of `CODED` close together, a ``yardstick`` with an error a size, and no other error."""
    results = read_once(shared((*CODED, yardstick), sizes=(256, 1024), seeds=3, artefacts=False).folder)
    cells = results.cells.drop(columns=[column.name for column in distortion_columns(results)])
    number = {arm: float(number) for number, arm in enumerate(CODED)}
    curves = 0.01 + 0.005 * cells["arm"].map(number) + 0.001 * cells["seed"]
    rate = 5.0 + cells["arm"].map(number)
    return replace(results, cells=cells.assign(mse=curves.fillna(cells["codebook_size"].map(mse)), entropy_bits=rate))


@pytest.mark.parametrize("plot", ["distortion", "rate_distortion"])
@pytest.mark.parametrize(("mse", "told"), [(0.0, None), (5.0, "↑ no_quantization 5.00000")])
def test_a_far_reference_is_told_at_the_edge(shared_synthetic: Make, plot: str, mse: float, told: str | None):
    results = _results(shared_synthetic, REFERENCE, {256: mse, 1024: mse})
    figure = draw_results(results, plot)
    assert figure is not None
    panel = next(axis for axis in figure.axes if "MSE" in axis.get_title() + axis.get_ylabel())
    across = [line.get_ydata()[0] for line in panel.get_lines() if list(line.get_xdata()) == [0, 1]]
    assert across == ([] if told else [mse])
    assert [text.get_text() for text in panel.texts] == ([told] if told else [])
    low, high = panel.get_ylim()
    assert high < 0.05
    if told:  # no curve comes where the text stands
        assert max(max(line.get_ydata()) for line in panel.get_lines()) < high - 0.06 * (high - low)
    assert_apart(figure)


@pytest.mark.parametrize(
    ("mse", "told"),
    [((0.03, 0.02), None), ((5.0, 0.02), "↓ kmeans 5.00000 to 0.02000"), ((0.02, 6.0), "↑ kmeans 0.02000 to 6.00000")],
)
def test_a_far_curve_of_a_yardstick_is_told_at_the_edge(
    shared_synthetic: Make, mse: tuple[float, float], told: str | None
):
    results = _results(shared_synthetic, "kmeans", dict(zip((256, 1024), mse, strict=True)))
    figure = draw_results(results, "distortion")
    assert figure is not None
    panel = next(axis for axis in figure.axes if "MSE" in axis.get_title())
    curves = [list(line.get_ydata()) for line in panel.get_lines()]
    assert (list(mse) in curves) is (told is None)
    assert [text.get_text() for text in panel.texts] == ([told] if told else [])
    assert panel.get_ylim()[1] < 0.06
    assert_apart(figure)
