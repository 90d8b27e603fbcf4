"""Rank-frequency curves by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from reported import ARMS, draw, legend_of

from benchmark.metrics.parts.rank_frequency import relative_curve

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


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
    assert legend_of(draw(synthetic(("simvq", "sc_vae"), sizes=(256,), seeds=1).folder, "rank_frequency")) == [
        "simvq",
        "uniform source",
    ]
    assert not caplog.text


def test_levels_are_named_in_the_rank_frequency_plot(synthetic: Make):
    assert legend_of(draw(synthetic(ARMS, sizes=(256,), seeds=1).folder, "rank_frequency")) == [
        "vq_vae",
        "residual_vq, level 1",
        "simvq",
        "uniform source",
    ]
