"""Curves against codebook size: means, bands, gaps and floors."""

from collections.abc import Callable

import numpy as np
import pytest
from reported import ARMS, draw, legend_of

from benchmark.report.frame import read

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_usage_against_size(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 4096), seeds=2, artefacts=False)
    figure = draw(made.folder, "usage")
    assert legend_of(figure) == ["vq_vae", "residual_vq", "simvq", "ceiling", "single runs"]
    assert figure is not None
    results = read(made.folder)
    wanted = [100 * results.ok.query("arm == 'simvq' and codebook_size == @k")["usage"].mean() for k in (256, 4096)]
    lines = figure.axes[0].get_lines()
    curves = [line for line in lines if line.get_marker() == "X"]
    np.testing.assert_allclose(curves[0].get_ydata(), wanted)
    ceilings = [100 * (1 - (1 - 1 / size) ** 25_600) for size in (256, 4096)]
    np.testing.assert_allclose(lines[-1].get_ydata(), ceilings)
    np.testing.assert_allclose(figure.axes[1].get_lines()[-1].get_ydata(), [256, 4096])


def test_a_line_breaks_where_a_run_is_missing(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256, 1024, 4096), seeds=1, artefacts=False)
    made.record_path("vq_vae", 1024, 0).unlink()
    figure = draw(made.folder, "usage")
    assert figure is not None
    assert np.isnan(figure.axes[0].get_lines()[0].get_ydata()).tolist() == [False, True, False]


def test_a_band_is_the_interval_within_what_is_possible(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256, 1024), seeds=3, artefacts=False)
    for seed, usage in enumerate((0.1, 0.9, 0.5)):
        for size in (256, 1024):
            metrics = {"usage": usage, "perplexity": 50.0 + seed}
            made.edit("vq_vae", size, seed, metrics=metrics)
    figure = draw(made.folder, "usage")
    assert figure is not None
    [usage_band] = figure.axes[0].collections
    y = usage_band.get_paths()[0].vertices[:, 1]
    assert (y.min(), y.max()) == (0, 100)
    [band] = figure.axes[1].collections
    # Three values one apart: half-width 4.3027 · 1 / sqrt 3, the table's quantile for two degrees of freedom.
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(51 + 4.3027 / 3**0.5, abs=1e-3)


def test_two_runs_are_shown_themselves(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256, 1024, 4096), seeds=3, artefacts=False)
    for seed, usage in enumerate((0.1, 0.3, 0.2)):
        made.edit("vq_vae", 1024, seed, metrics={"usage": usage, "perplexity": 50.0})
    made.record_path("vq_vae", 1024, 2).unlink()
    figure = draw(made.folder, "usage")
    assert legend_of(figure) == ["vq_vae", "ceiling", "single runs"]
    assert figure is not None
    curve, runs, _ = figure.axes[0].get_lines()
    assert runs.get_ydata().tolist() == pytest.approx([10, 30])
    assert curve.get_ydata()[1] == pytest.approx(20)
    [bars] = figure.axes[0].collections
    drawn = {segment[0, 0]: np.ptp(segment[:, 1]) for segment in bars.get_segments() if len(segment)}
    assert len(drawn) == 2, "and no interval of 13 times the distance of two"
    assert all(height > 0 for height in drawn.values())


def test_the_floor_is_a_line_across(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024), seeds=3, artefacts=False)
    figure = draw(made.folder, "distortion")
    assert legend_of(figure)[-1] == "no_quantization"
    assert figure is not None
    floor = read(made.folder).ok.query("arm == 'no_quantization'")["mse"].mean()
    assert list(figure.axes[0].get_lines()[-1].get_ydata()) == pytest.approx([floor, floor])


def test_one_size_gives_dots_by_arm(synthetic: Make):
    made = synthetic(ARMS, sizes=(256,), seeds=3, artefacts=False)
    figure = draw(made.folder, "distortion")
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(ARMS)
    assert not figure.legends
