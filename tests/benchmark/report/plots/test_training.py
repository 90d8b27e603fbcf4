"""Curves over training."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from reported import draw, legend_of

from benchmark.report.frame import read

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_a_band_of_two_curves_is_their_range(synthetic: Make):
    made = synthetic(("simvq",), sizes=(256,), seeds=2, artefacts=False)
    for seed, error in enumerate((0.1, 0.01)):
        made.write_history("simvq", 256, seed, [1.0, error])
    figure = draw(made.folder, "error_over_training")
    assert legend_of(figure) == ["simvq", "of two runs: their range"]
    assert figure is not None
    [band] = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(-20)


def test_usage_over_training_ends_where_the_history_ends(synthetic: Make):
    made = synthetic(("simvq",), sizes=(256,), seeds=2)
    results = read(made.folder)
    figure = draw(made.folder, "training")
    assert figure is not None
    last = np.mean([results.history(key)["usage"].iloc[-1] for key in results.ok["key"]])  # type: ignore[index]
    curve = figure.axes[0].get_lines()[0]
    assert curve.get_xdata()[-1] == 1000
    assert curve.get_ydata()[-1] == pytest.approx(100 * last)


def test_curves_begin_where_the_quantizer_does(synthetic: Make):
    made = synthetic(("simvq", "vq_vae"), sizes=(256,), seeds=2, artefacts=False)
    usage: list[float | str] = ["", "", 0.25, 0.5]
    for seed in range(2):
        made.write_history("simvq", 256, seed, [0.4, 0.3, 0.2, 0.1], usage=usage, perplexity=["", "", 30.0, 60.0])
        made.write_history("vq_vae", 256, seed, [0.4, 0.3, 0.2, 0.1], usage=[""] * 4, perplexity=[""] * 4)
    figure = draw(made.folder, "training")
    assert legend_of(figure) == ["simvq", "of two runs: their range"]
    assert figure is not None
    assert figure.axes[0].get_lines()[0].get_xdata().tolist() == [500 + 250, 1000]
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == [25, 50]


def test_the_error_over_training_is_in_decibels(synthetic: Make):
    made = synthetic(("simvq", "vq_vae"), sizes=(256, 1024), seeds=2, artefacts=False)
    for size, seed in itertools.product((256, 1024), (0, 1)):
        made.write_history("simvq", size, seed, [1.0, 0.1, 0.01 if seed else 0.001, 0.001])
        made.write_history("vq_vae", size, seed, [1.0, 0.0, math.nan, 0.1])
    figure = draw(made.folder, "error_over_training")
    assert legend_of(figure) == ["simvq", "vq_vae", "of two runs: their range"]
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == ["K = 256", "K = 1,024"]
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}
    curves = [line for line in figure.axes[1].get_lines() if len(line.get_xdata()) > 1]
    np.testing.assert_allclose(curves[0].get_xdata(), [250, 500, 750, 1000])
    np.testing.assert_allclose(curves[0].get_ydata(), [0, -10, -25, -30])
    np.testing.assert_allclose(curves[1].get_xdata(), [250, 1000])  # what a logarithm can't show is left out
    np.testing.assert_allclose(curves[1].get_ydata(), [0, -10], atol=1e-12)
