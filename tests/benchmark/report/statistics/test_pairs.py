"""Tests of pairs of arms: the plain paired t where nothing is shared, the moderated one, and Holm's correction."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmark.report.statistics.moderation import fit_prior
from benchmark.report.statistics.pairs import holm, pair_tests


def of_differences(*columns: list[float]) -> np.ndarray:
    """Seeds by arms, the first arm zero."""
    return np.array([[0.0] * len(columns[0]), *columns]).T


def test_plain_p_in_closed_form():
    # t = 2 / (1 / sqrt 3); with two degrees of freedom p = 1 - t / sqrt(t² + 2).
    t = 2 * math.sqrt(3)
    found = pair_tests(of_differences([1.0, 2.0, 3.0]))
    assert found.p == pytest.approx([1 - t / math.sqrt(t * t + 2)], rel=1e-12)
    assert found.difference.tolist() == [-2.0]


def test_fewer_than_four_arms_have_the_paired_t_test():
    values = np.random.default_rng(1).standard_normal((12, 3))
    found = pair_tests(values)
    for pair, (first, second) in enumerate(zip(found.first, found.second, strict=True)):
        expected = stats.ttest_rel(values[:, first], values[:, second])
        assert found.p[pair] == pytest.approx(expected.pvalue, rel=1e-10)
        interval = expected.confidence_interval(0.95)
        assert found.half_width[pair] == pytest.approx((interval.high - interval.low) / 2, rel=1e-10)


def test_moderated_t_by_hand():
    values = np.random.default_rng(2).standard_normal((3, 6)) * [1, 1, 5, 1, 9, 1] + [0, 0, 0, 3, 3, 0]
    found = pair_tests(values)
    differences = np.array([values[:, i] - values[:, j] for i, j in zip(found.first, found.second, strict=True)])
    s2 = differences.var(axis=1, ddof=1)
    prior = fit_prior(s2, 2, dilution=7 / 5)
    d0 = float(prior.df)
    assert 0 < d0 < 8
    t = differences.mean(axis=1) / np.sqrt((d0 * float(prior.variance) + 2 * s2) / (d0 + 2) / 3)
    assert found.p == pytest.approx(2 * stats.t(d0 + 2).sf(abs(t)), rel=1e-9)
    # An interval that touches zero belongs to p = 0.05.
    width = found.half_width / abs(found.difference)
    assert ((width < 1) == (found.p < 0.05)).all()


def test_pooled_variance_has_the_degrees_of_freedom_of_the_observations():
    values = np.random.default_rng(4).standard_normal((3, 8)) + np.arange(8)
    found = pair_tests(values)
    assert math.isinf(found.prior.df)
    error = math.sqrt(float(found.prior.variance) / 3)
    assert found.p == pytest.approx(2 * stats.t(14).sf(abs(found.difference) / error), rel=1e-9)


def test_without_spread():
    found = pair_tests(of_differences([0.5, 0.5], [0.0, 0.0]))
    assert found.p.tolist() == [0.0, 1.0, 0.0]
    assert found.half_width.tolist() == [0.0, 0.0, 0.0]


def test_what_rounding_leaves_is_no_spread():
    seeds = np.array([0.1, 0.2, 0.7])
    found = pair_tests(np.stack([seeds, seeds + 0.3], axis=1))
    assert found.p.tolist() == [0.0]


def test_saturated_arms_borrow_the_spread_of_the_others():
    full = [1.0, 1.0, 1.0]
    usage = np.array([full, full, [0.5, 0.6, 0.55], [0.2, 0.25, 0.1], [0.4, 0.41, 0.42]]).T
    found = pair_tests(usage)
    assert found.p[0] == 1.0
    assert found.half_width[0] > 0


def test_leading_axes_are_studies_of_their_own():
    values = np.random.default_rng(5).standard_normal((2, 3, 5))
    both = pair_tests(values)
    for study in range(2):
        assert both.p_holm[study] == pytest.approx(pair_tests(values[study]).p_holm, rel=1e-12)


def test_holm_by_hand():
    # Sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1 raised to the one before it.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_at_most_one_and_takes_nothing():
    assert holm(np.array([0.7, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []
