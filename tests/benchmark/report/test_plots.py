"""The plots: what they draw is what was measured, and nothing covers anything."""

import itertools
import math
from collections.abc import Callable
from functools import cache

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from benchmark.metrics.parts.rank_frequency import relative_curve
from benchmark.report.frame import Results, read
from benchmark.report.grid import Grid
from benchmark.report.places import Axis
from benchmark.report.plots import PLOTS
from benchmark.report.plots.base import is_logarithmic, is_wide, size_label, wrapped
from benchmark.report.plots.direct import spread
from benchmark.report.style import RC, arm_styles

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
ARMS = ("vq_vae", "residual_vq", "simvq", "no_quantization")
OF_PRIORS = ("generated", "generation", "prior_training")
"""Drawn in test_generation.py, of results that have some."""


def draw(folder, name: str) -> Figure | None:
    return draw_results(read(folder), name)


def draw_results(results: Results, name: str) -> Figure | None:
    with matplotlib.rc_context(RC):
        figure = PLOTS.all()[name].draw(Grid(results), arm_styles(results.plan["arms"], []))
        if figure is not None:
            figure.draw_without_rendering()
    return figure


read_once = cache(read)


def names(figure: Figure | None) -> list[str]:
    assert figure is not None
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("name", sorted(set(PLOTS.names()) - set(OF_PRIORS)))
@pytest.mark.parametrize(("sizes", "seeds"), [((256, 1024), 2), ((256,), 1)])
def test_nothing_overlaps(shared_synthetic: Make, name: str, sizes: tuple[int, ...], seeds: int):
    assert_apart(draw_results(read_once(shared_synthetic(ARMS, sizes=sizes, seeds=seeds).folder), name))


@pytest.mark.parametrize("name", ["usage", "distortion", "training", "rank_frequency", "disguise", "price"])
def test_nothing_overlaps_on_a_grid_of_two_more_axes(two_more_axes: Results, name: str):
    figure = draw_results(two_more_axes, name)
    assert_apart(figure, within=4)  # tick labels that change once the layout is made
    titles = {axis.get_title() for axis in figure.axes}
    if name == "training":
        assert "learning rate = 0.003\nbatch size = 128" in titles


def test_arms_stand_apart_within_the_panel(two_more_axes: Results):
    figure = draw_results(two_more_axes, "usage")
    assert figure is not None
    for axis in figure.axes:
        low, high = axis.get_xlim()
        assert all(low < x < high for line in axis.get_lines() for x in line.get_xdata())


@pytest.fixture(scope="module")
def two_more_axes(shared_synthetic: Make) -> Results:
    """Four invented sizes made to stand for two learning rates and two batch sizes at one size."""
    points = {256: (3e-4, 16), 512: (3e-3, 16), 1024: (3e-4, 128), 2048: (3e-3, 128)}
    made = shared_synthetic((*ARMS, "optvq", "cvq_vae", "sq_vae", "fsq"), sizes=tuple(points), seeds=1)
    names = ("training.learning_rate", "training.batch_size")
    cells = [
        {**cell, "codebook_size": 256, "point": dict(zip(names, points[cell["codebook_size"]], strict=True))}
        for cell in made.plan["cells"]
    ]
    axes = dict(zip(names, ([3e-4, 3e-3], [16, 128]), strict=True))
    made.edit_plan(codebook_sizes=[256], axes=axes, cells=cells)
    return read(made.folder)


def assert_apart(figure: Figure | None, within: int = 2) -> None:
    assert figure is not None
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


def test_every_plot_stays_away_without_runs(synthetic: Make):
    made = synthetic(ARMS, sizes=(256,), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    results, names = read(made.folder), PLOTS.names()
    assert [draw_results(results, name) for name in names] == [None] * len(names)


def test_usage_against_size(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 4096), seeds=2, artefacts=False)
    figure = draw(made.folder, "usage")
    assert names(figure) == ["vq_vae", "residual_vq", "simvq", "ceiling", "single runs"]
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
    assert names(figure) == ["vq_vae", "ceiling", "single runs"]
    assert figure is not None
    curve, runs, _ = figure.axes[0].get_lines()
    assert runs.get_ydata().tolist() == pytest.approx([10, 30])
    assert curve.get_ydata()[1] == pytest.approx(20)
    [bars] = figure.axes[0].collections
    drawn = {segment[0, 0]: np.ptp(segment[:, 1]) for segment in bars.get_segments() if len(segment)}
    assert len(drawn) == 2, "and no interval of 13 times the distance of two"
    assert all(height > 0 for height in drawn.values())


def test_a_band_of_two_curves_is_their_range(synthetic: Make):
    made = synthetic(("simvq",), sizes=(256,), seeds=2, artefacts=False)
    for seed, error in enumerate((0.1, 0.01)):
        made.write_history("simvq", 256, seed, [1.0, error])
    figure = draw(made.folder, "error_over_training")
    assert names(figure) == ["simvq", "of two runs: their range"]
    assert figure is not None
    [band] = figure.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(-20)


CROWD = (*(f"arm_{number}" for number in range(7)), *("vq_vae", "fsq", "residual_vq", "sq_vae", "no_quantization"))


@pytest.mark.parametrize("name", ["usage", "training", "rank_frequency", "disguise", "rate_distortion"])
def test_each_of_many_arms_has_its_name_beside_it(shared_synthetic: Make, name: str):
    results = read_once(shared_synthetic(CROWD, sizes=(256, 1024), seeds=1).folder)
    figure = draw_results(results, name)
    assert_apart(figure, within=4)
    assert figure is not None
    named = [text for text in figure.axes[0].texts if text.get_text() in CROWD]
    assert len(named) == len({text.get_text() for text in named}) >= len(CROWD) - 1
    boxes = [Text.get_window_extent(text) for text in named]  # without the line to the curve
    assert not any(one.overlaps(other) for one, other in itertools.combinations([b.padded(-1) for b in boxes], 2))
    legend = names(figure)
    assert legend[:3] == ["plain codebook", "soft assignment", "fixed grid"]
    assert not set(legend) & set(CROWD)


def test_many_arms_stand_by_family(shared_synthetic: Make):
    results = read_once(shared_synthetic(CROWD, sizes=(256,), seeds=1).folder)
    figure = draw_results(results, "usage")
    assert figure is not None
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["vq_vae", "sq_vae", "fsq", "residual_vq", *CROWD[:7], "no_quantization"]
    assert names(figure)[-2:] == ["methods of your own", "others"]


def test_names_keep_their_distance_and_stay_near():
    assert spread([0.1, 0.5, 0.9], 0.2).tolist() == pytest.approx([0.1, 0.5, 0.9])
    assert spread([0.5, 0.5, 0.5], 0.2).tolist() == pytest.approx([0.3, 0.5, 0.7])
    assert spread([1.0, 1.0], 0.3).tolist() == pytest.approx([0.7, 1.0])
    assert spread([0.0] * 5, 0.25).tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


def test_the_floor_is_a_line_across(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024), seeds=3, artefacts=False)
    figure = draw(made.folder, "distortion")
    assert names(figure)[-1] == "no_quantization"
    assert figure is not None
    floor = read(made.folder).ok.query("arm == 'no_quantization'")["mse"].mean()
    assert list(figure.axes[0].get_lines()[-1].get_ydata()) == pytest.approx([floor, floor])


def test_one_size_gives_dots_by_arm(synthetic: Make):
    made = synthetic(ARMS, sizes=(256,), seeds=3, artefacts=False)
    figure = draw(made.folder, "distortion")
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(ARMS)
    assert not figure.legends


def test_relative_curve_by_hand():
    rank, frequency = relative_curve(np.array([0, 6, 0, 2]))
    np.testing.assert_allclose(rank, [0.25, 0.5])
    np.testing.assert_allclose(frequency, [3.0, 1.0])


def test_relative_curve_of_a_uniform_source_is_flat():
    rank, frequency = relative_curve(np.full(10_000, 3))
    assert len(rank) <= 200
    assert (rank[0], rank[-1]) == (1e-4, 1.0)
    np.testing.assert_allclose(frequency, 1.0)


def test_an_arm_without_codes_has_no_counts_to_miss(synthetic: Make, caplog: pytest.LogCaptureFixture):
    assert names(draw(synthetic(("simvq", "sc_vae"), sizes=(256,), seeds=1).folder, "rank_frequency")) == [
        "simvq",
        "uniform source",
    ]
    assert not caplog.text


def test_levels_are_named_in_the_rank_frequency_plot(synthetic: Make):
    assert names(draw(synthetic(ARMS, sizes=(256,), seeds=1).folder, "rank_frequency")) == [
        "vq_vae",
        "residual_vq, level 1",
        "simvq",
        "uniform source",
    ]


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
    assert names(figure) == ["simvq", "of two runs: their range"]
    assert figure is not None
    assert figure.axes[0].get_lines()[0].get_xdata().tolist() == [500 + 250, 1000]
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == [25, 50]


def test_the_error_over_training_is_in_decibels(synthetic: Make):
    made = synthetic(("simvq", "vq_vae"), sizes=(256, 1024), seeds=2, artefacts=False)
    for size, seed in itertools.product((256, 1024), (0, 1)):
        made.write_history("simvq", size, seed, [1.0, 0.1, 0.01 if seed else 0.001, 0.001])
        made.write_history("vq_vae", size, seed, [1.0, 0.0, math.nan, 0.1])
    figure = draw(made.folder, "error_over_training")
    assert names(figure) == ["simvq", "vq_vae", "of two runs: their range"]
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == ["K = 256", "K = 1,024"]
    assert {axis.get_xscale() for axis in figure.axes} == {"log"}
    curves = [line for line in figure.axes[1].get_lines() if len(line.get_xdata()) > 1]
    np.testing.assert_allclose(curves[0].get_xdata(), [250, 500, 750, 1000])
    np.testing.assert_allclose(curves[0].get_ydata(), [0, -10, -25, -30])
    np.testing.assert_allclose(curves[1].get_xdata(), [250, 1000])  # what a logarithm can't show is left out
    np.testing.assert_allclose(curves[1].get_ydata(), [0, -10], atol=1e-12)


def test_the_response_shows_every_rung_and_rings_the_choice(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024), seeds=1, artefacts=False)
    made.write_tuning((256, 1024))
    figure = draw(made.folder, "response")
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == list(ARMS)
    assert names(figure) == ["K = 256", "K = 1,024", "500 steps", "2,000 steps", "chosen"]
    panel = figure.axes[1]
    lines = [line for line in panel.get_lines() if len(line.get_xdata()) == 3]
    assert len(lines) == 4, "two values of the knob at two sizes"
    trials = pd.read_csv(made.folder / "tuning.csv")
    own = trials.query("arm == 'residual_vq' and codebook_size == 256 and rung == 1 and value == '0.25'")
    np.testing.assert_allclose(lines[0].get_xdata(), [3e-4, 1e-3, 3e-3])
    np.testing.assert_allclose(lines[0].get_ydata(), 10 * np.log10(own["validation_error"]))
    rings = [line for line in panel.get_lines() if line.get_markersize() == 10]
    longer = trials.query("arm == 'residual_vq' and rung == 2")["validation_error"].mean()
    assert [ring.get_xdata()[0] for ring in rings] == pytest.approx([1e-3] * 2)
    assert [ring.get_ydata()[0] for ring in rings] == pytest.approx([10 * np.log10(longer)] * 2)
    knobs = [
        [area.get_text() for area in artist.get_children()[0].get_children()]
        for axis in figure.axes
        for artist in axis.artists
    ]
    assert knobs == [[], ["beta", "0.25", "1"], ["beta", "0.1", "1"], []]


def test_a_trial_without_an_error_is_left_out(synthetic: Make):
    made = synthetic(("simvq",), sizes=(256,), seeds=1, artefacts=False)
    made.write_tuning((256,))
    path = made.folder / "tuning.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows[:-1], "simvq,256,1,500,1000,0.003,,,,0"]) + "\n")
    figure = draw(made.folder, "response")
    assert figure is not None
    np.testing.assert_allclose(figure.axes[0].get_lines()[0].get_xdata(), [3e-4, 1e-3])


@pytest.mark.parametrize(
    "content",
    [
        b"rubbish",
        b"",
        b"\xff\xfe\x00",
        b"arm,codebook_size,rung,steps,seed,learning_rate,parameter,value,validation_error,chosen\n"
        b"simvq,256,1,500,1000,fast,beta,1,0.1,0\n",
    ],
)
def test_a_damaged_file_of_trials_is_a_warning(synthetic: Make, content: bytes, caplog: pytest.LogCaptureFixture):
    made = synthetic(("simvq",), sizes=(256,), seeds=1, artefacts=False)
    assert draw(made.folder, "response") is None
    assert not caplog.text
    (made.folder / "tuning.csv").write_bytes(content)
    assert draw(made.folder, "response") is None
    assert "tuning.csv can't be used" in caplog.text


def test_the_response_of_many_arms_has_nothing_overlap(synthetic: Make):
    arms = tuple((f"arm_of_some_name_{number}", "simvq") for number in range(9))
    made = synthetic(arms, sizes=(1024,), seeds=1, artefacts=False)
    made.write_tuning((1024, 16384), rates=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2))
    figure = draw(made.folder, "response")
    assert_apart(figure, within=4)


def test_disguise_has_a_point_a_run(synthetic: Make):
    figure = draw(synthetic(ARMS, sizes=(256, 1024), seeds=3, artefacts=False).folder, "disguise")
    assert figure is not None
    clouds = [cloud for cloud in figure.axes[0].collections if len(cloud.get_offsets()) == 6]
    assert len(clouds) == 3
    for cloud in clouds:
        usage, perplexity = np.asarray(cloud.get_offsets()).T
        assert (perplexity <= usage).all()


def test_rate_distortion_uses_the_error_that_is_there(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256, 1024), seeds=1, artefacts=False)
    figure = draw(made.folder, "rate_distortion")
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "MSE ↓"
    for arm, size in itertools.product(("vq_vae", "simvq"), (256, 1024)):
        made.edit(arm, size, 0, metrics={"entropy_bits": 3.0, "quantization_error": 0.5})
    figure = draw(made.folder, "rate_distortion")
    assert figure is not None
    assert figure.axes[0].get_ylabel() == "Quantization error ↓"


def test_reconstructions_show_the_originals_once_and_the_largest_size(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256, 1024), seeds=1)
    made.record_path("simvq", 1024, 0).unlink()
    figure = draw(made.folder, "reconstructions")
    assert figure is not None
    labels = [text.get_text() for text in figure.texts]
    assert labels == ["original", "vq_vae\nK = 1,024", "simvq\nK = 256", "no_quantization"]
    shown = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    samples = read(made.folder).samples(made.key("vq_vae", 1024, 0))
    assert samples is not None
    np.testing.assert_array_equal(shown[0], samples[:28])
    np.testing.assert_array_equal(shown[1], samples[28:])


def test_speech_is_drawn_once_as_it_was_and_once_an_arm(synthetic: Make):
    made = synthetic(ARMS, sizes=(256, 1024), seeds=2)
    figure = draw(made.folder, "speech")
    assert figure is not None
    rows = [axis.get_ylabel() for axis in figure.axes[::2]]
    assert rows == ["original", "vq_vae\nK = 1,024", "residual_vq\nK = 1,024", "simvq\nK = 1,024", "no_quantization"]
    drawn = figure.axes[0].get_lines()[0]
    assert len(drawn.get_xdata()) == 2000
    assert max(drawn.get_xdata()) == pytest.approx(1999 / 8000)
    assert max(drawn.get_ydata()) == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize(("size", "label"), [(256, "256"), (1024, "1,024"), (16384, "16k"), (10000, "10,000")])
def test_size_labels(size: int, label: str):
    assert size_label(size) == label


def test_an_axis_is_logarithmic_where_what_is_not_zero_spreads():
    assert is_wide([0.0, 0.01, 2.0])
    assert not is_wide([0.0, 0.01, 0.1])
    assert not is_wide([-1.0, 0.01, 2.0])
    assert not is_wide([0.0, 2.0])


def test_a_grid_that_starts_at_zero_keeps_its_zero():
    assert is_logarithmic(Axis("model.latent_dim", (4, 256)))
    assert not is_logarithmic(Axis("dataset.shift", (0, 1, 100)))


def test_panels_wrap_evenly():
    assert [wrapped(count, 4) for count in (1, 4, 5, 7, 9)] == [(1, 1), (1, 4), (2, 3), (2, 4), (3, 3)]


def test_codewords_in_every_step_and_those_outside_counted(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256,), seeds=1)
    folder = made.record_path("vq_vae", 256, 0).parent
    codewords = np.zeros((2, 5, 2))
    codewords[1, :3] = 100
    np.savez(folder / "snapshots.npz", steps=[0, 10], codewords=codewords, latents=np.eye(2))
    figure = draw(made.folder, "codewords")
    assert figure is not None
    first, second = figure.axes[:2]
    assert first.get_ylabel() == "vq_vae"
    assert (first.get_xlabel(), second.get_xlabel()) == ("", "3 outside")
    assert second.lines[1].get_xdata().tolist() == [100, 100, 100, 0, 0]
