"""Lines across: in the panel where the curves stay readable, else their value at the edge."""

from collections.abc import Callable

import pytest
from reported import assert_apart, draw

from benchmark.report.plots.far import is_far

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


@pytest.mark.parametrize("plot", ["distortion", "rate_distortion"])
@pytest.mark.parametrize(("mse", "told"), [(0.0, None), (5.0, "↑ no_quantization 5.00000")])
def test_a_far_reference_is_told_at_the_edge(synthetic: Make, plot: str, mse: float, told: str | None):
    made = synthetic((*CODED, REFERENCE), sizes=(256, 1024), seeds=3, artefacts=False)
    for size, seed in ((size, seed) for size in (256, 1024) for seed in range(3)):
        for number, arm in enumerate(CODED):
            made.edit(
                arm, size, seed, metrics={"mse": 0.01 + 0.005 * number + 0.001 * seed, "entropy_bits": 5.0 + number}
            )
    for seed in range(3):
        made.edit(REFERENCE, 256, seed, metrics={"mse": mse})
    figure = draw(made.folder, plot)
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
def test_a_far_curve_of_a_yardstick_is_told_at_the_edge(synthetic: Make, mse: tuple[float, float], told: str | None):
    made = synthetic((*CODED, "kmeans"), sizes=(256, 1024), seeds=3, artefacts=False)
    for size, value in zip((256, 1024), mse, strict=True):
        made.set_metric("kmeans", size, "mse", [value] * 3)
        for number, arm in enumerate(CODED):
            made.set_metric(arm, size, "mse", [0.01 + 0.005 * number + 0.001 * seed for seed in range(3)])
    figure = draw(made.folder, "distortion")
    assert figure is not None
    panel = next(axis for axis in figure.axes if "MSE" in axis.get_title())
    curves = [list(line.get_ydata()) for line in panel.get_lines()]
    assert (list(mse) in curves) is (told is None)
    assert [text.get_text() for text in panel.texts] == ([told] if told else [])
    assert panel.get_ylim()[1] < 0.06
    assert_apart(figure)
