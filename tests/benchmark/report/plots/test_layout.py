"""Nothing covers anything, whatever is drawn; axes and labels."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from matplotlib.figure import Figure
from reported import ARMS, assert_apart, assert_labels_apart, draw, draw_results, read_once

from benchmark.report.declarations import Style
from benchmark.report.frame import Results, read
from benchmark.report.places import Axis, Place
from benchmark.report.plots import PLOTS
from benchmark.report.plots.base import is_logarithmic, size_label, wrapped, wrapped_places

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


OF_PRIORS = ("generated", "generation", "nearest", "prior_training")
"""Drawn in test_generation.py, of results that have some."""


@pytest.mark.parametrize("name", sorted(set(PLOTS.names()) - set(OF_PRIORS)))
@pytest.mark.parametrize(("sizes", "seeds"), [((256, 1024), 2), ((256,), 1)])
def test_nothing_overlaps(shared_synthetic: Make, name: str, sizes: tuple[int, ...], seeds: int):
    assert_apart(draw_results(read_once(shared_synthetic(ARMS, sizes=sizes, seeds=seeds).folder), name))


@pytest.mark.parametrize(
    ("name", "places"),
    [("usage", 6), ("distortion", 6), ("rate_distortion", 6), ("training", 3), ("error_over_training", 3)],
)
def test_no_label_covers_another_in_a_column_of_a_paper(shared_synthetic: Make, name: str, places: int):
    sizes = (256, 512, 1024, 2048, 4096, 8192)[:places]
    results = read_once(shared_synthetic(ARMS, sizes=sizes, seeds=1).folder)
    assert_labels_apart(draw_results(results, name, Style(column="single")))


@pytest.mark.parametrize("name", ["usage", "distortion", "training", "rank_frequency", "disguise", "price"])
def test_nothing_overlaps_on_a_grid_of_two_more_axes(on_two_more_axes: Callable[[str], Figure], name: str):
    figure = on_two_more_axes(name)
    assert_apart(figure, within=4)  # tick labels that change once the layout is made
    titles = {axis.get_title() for axis in figure.axes}
    if name == "training":
        assert "learning rate = 0.003\nbatch size = 128" in titles


def test_arms_stand_apart_within_the_panel(on_two_more_axes: Callable[[str], Figure]):
    for axis in on_two_more_axes("usage").axes:
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


@pytest.fixture(scope="module")
def on_two_more_axes(two_more_axes: Results) -> Callable[[str], Figure]:
    """A plot of them by its name, drawn once."""

    @cache
    def drawn(name: str) -> Figure:
        figure = draw_results(two_more_axes, name)
        assert figure is not None
        return figure

    return drawn


def test_the_panels_of_a_quantity_have_one_kind_of_scale(two_more_axes: Results):
    cells = two_more_axes.cells.assign(perplexity=2.0)
    cells.loc[cells["arm"] == "vq_vae", "perplexity"] = [200.0, 2.0, 2.0, 2.0]  # in one row alone the values spread
    figure = draw_results(replace(two_more_axes, cells=cells), "usage")
    assert figure is not None
    shown = [axis for axis in figure.axes if axis.get_title().startswith("Perplexity")]
    assert [axis.get_yscale() for axis in shown] == ["log"] * 2


def test_every_plot_stays_away_without_runs(synthetic: Make):
    made = synthetic(ARMS, sizes=(256,), seeds=1, artefacts=False)
    for path in made.folder.glob("runs/*/record.json"):
        path.unlink()
    results, names = read(made.folder), PLOTS.names()
    assert [draw_results(results, name) for name in names] == [None] * len(names)


def test_the_response_of_many_arms_has_nothing_overlap(synthetic: Make):
    arms = tuple((f"arm_of_some_name_{number}", "simvq") for number in range(9))
    made = synthetic(arms, sizes=(1024,), seeds=1, artefacts=False)
    made.write_tuning((1024, 16384), rates=(1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2))
    figure = draw(made.folder, "response")
    assert_apart(figure, within=4)


@pytest.mark.parametrize(("size", "label"), [(256, "256"), (1024, "1,024"), (16384, "16k"), (10000, "10,000")])
def test_size_labels(size: int, label: str):
    assert size_label(size) == label


def test_a_grid_that_starts_at_zero_keeps_its_zero():
    assert is_logarithmic(Axis("model.latent_dim", (4, 256)))
    assert not is_logarithmic(Axis("dataset.shift", (0, 1, 100)))


def test_panels_wrap_evenly():
    assert [wrapped(count, 4) for count in (1, 4, 5, 7, 9)] == [(1, 1), (1, 4), (2, 3), (2, 4), (3, 3)]


def test_a_row_is_a_setting_of_the_further_axes() -> None:
    def shape(*values: tuple[int, int]) -> tuple[int, int]:
        return wrapped_places([Place(value) for value in values], 4)

    lengths = (1000, 4000, 16000)
    assert shape(*((size, steps) for steps in lengths for size in (1024, 16384))) == (3, 2)
    assert shape(*((1024, steps) for steps in lengths)) == (1, 3)
    assert shape((1024, 1000), (16384, 1000), (1024, 4000)) == (1, 3)  # not whole
    assert shape(*((size, steps) for steps in lengths for size in range(2, 7))) == (4, 4)  # no room
