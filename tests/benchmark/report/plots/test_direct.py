"""Many arms: each has its name beside its curve, and they stand by family."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from matplotlib.patches import ConnectionStyle
from matplotlib.text import Text
from reported import assert_apart, draw_results, legend_of, read_once

from benchmark.report.plots import direct
from benchmark.report.plots.direct import spread
from benchmark.report.still_axes import lay_out

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


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
    legend = legend_of(figure)
    assert legend[:3] == ["plain codebook", "soft assignment", "fixed grid"]
    assert not set(legend) & set(CROWD)


@pytest.mark.parametrize("arms", [CROWD, ("vq_vae", "simvq")])
@pytest.mark.parametrize("name", ["usage", "rank_frequency", "disguise", "rate_distortion", "reconstructions"])
@pytest.mark.parametrize("sizes", [(256,), (256, 1024)])
def test_a_figure_names_what_was_measured_elsewhere(
    shared_synthetic: Make, name: str, arms: tuple[str, ...], sizes: tuple[int, ...]
):
    results = read_once(shared_synthetic(arms, sizes=sizes, seeds=1).folder)
    first, *others = results.plan["arms"]
    plan = {**results.plan, "arms": [{**first, "measured": True}, *others]}
    figure = draw_results(replace(results, plan=plan), name)
    assert figure is not None
    shown = {text.get_text() for text in figure.findobj(Text) if arms[0] in text.get_text()}
    assert shown
    assert all("(elsewhere)" in text for text in shown)


def test_many_arms_stand_by_family(shared_synthetic: Make):
    results = read_once(shared_synthetic(CROWD, sizes=(256,), seeds=1).folder)
    figure = draw_results(results, "usage")
    assert figure is not None
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["vq_vae", "sq_vae", "fsq", "residual_vq", *CROWD[:7], "no_quantization"]
    assert legend_of(figure)[-2:] == ["methods of your own", "others"]


def test_names_keep_their_distance_and_stay_near():
    assert spread([0.1, 0.5, 0.9], 0.2).tolist() == pytest.approx([0.1, 0.5, 0.9])
    assert spread([0.5, 0.5, 0.5], 0.2).tolist() == pytest.approx([0.3, 0.5, 0.7])
    assert spread([1.0, 1.0], 0.3).tolist() == pytest.approx([0.7, 1.0])
    assert spread([0.0] * 5, 0.25).tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


def test_ties_are_those_of_matplotlib_to_the_last_byte(shared_synthetic: Make, monkeypatch: pytest.MonkeyPatch):
    results = read_once(shared_synthetic(CROWD, sizes=(256,), seeds=1).folder)

    def picture() -> bytes:
        figure = draw_results(results, "rank_frequency")
        assert figure is not None
        lay_out(figure)
        figure.canvas.draw()
        return bytes(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]

    ours = picture()
    monkeypatch.setattr(direct, "_Tie", ConnectionStyle.Arc3)
    assert picture() == ours
