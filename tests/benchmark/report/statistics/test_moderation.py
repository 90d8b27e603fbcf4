"""The prior of variances: closed forms, an independent solution of its equations, limits, and a planted law."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from benchmark.report.statistics.moderation import Prior, fit_prior, posterior_variances, trigamma_inverse


def test_trigamma_inverse_in_closed_form():
    # ψ'(1/2) = π²/2, ψ'(1) = π²/6, ψ'(2) = π²/6 - 1.
    found = trigamma_inverse(np.array([math.pi**2 / 2, math.pi**2 / 6, math.pi**2 / 6 - 1]))
    assert found == pytest.approx([0.5, 1.0, 2.0], rel=1e-12)


def test_trigamma_inverse_far_out():
    y = np.array([1e-6, 1e-3, 1e3, 1e6])
    assert trigamma_inverse(special.polygamma(1, y)) == pytest.approx(y, rel=1e-8)


def test_moments_are_those_of_the_logarithm_of_an_f_law():
    """limma's equations, solved with another inverse and with the moments of log F by a sum over its density."""
    variances, d = np.array([0.2, 1.5, 0.9, 7.0, 0.05, 2.2]), 2
    prior = fit_prior(variances, d)

    def moments(d0: float) -> tuple[float, float]:
        log_x = np.linspace(-40, 40, 4_001)
        weights = stats.f(d, d0).pdf(np.exp(log_x)) * np.exp(log_x) * (log_x[1] - log_x[0])
        mean = float(weights @ log_x)
        return mean, float(weights @ (log_x - mean) ** 2)

    logs = np.log(variances)
    d0 = optimize.brentq(lambda d0: moments(d0)[1] - logs.var(ddof=1), 0.5, 50)
    assert float(prior.df) == pytest.approx(d0, rel=1e-4)
    assert float(prior.variance) == pytest.approx(math.exp(logs.mean() - moments(d0)[0]), rel=1e-4)
    posterior = posterior_variances(variances, d, prior)
    assert posterior == pytest.approx((d0 * prior.variance + d * variances) / (d0 + d), rel=1e-4)


def test_variances_that_differ_by_no_more_than_chance_are_pooled():
    prior = fit_prior(np.array([1.0, 1.1, 0.9, 1.2]), 4)
    assert math.isinf(prior.df)
    assert float(prior.variance) == pytest.approx(1.05)
    assert posterior_variances(np.array([0.5, 2.0]), 4, prior) == pytest.approx([1.05, 1.05])


def test_variances_that_have_nothing_in_common_stay_as_they_are():
    variances = 10.0 ** np.array([-60, -20, 20, 60])
    prior = fit_prior(variances, 10)
    assert float(prior.df) < 0.03
    assert posterior_variances(variances[2:], 10, prior) == pytest.approx(variances[2:], rel=0.01)
    nothing = Prior(np.array(0.0), np.array(0.0))
    assert posterior_variances(variances, 10, nothing).tolist() == variances.tolist()


def test_too_few_variances_share_nothing():
    assert fit_prior(np.array([1.0, 9.0]), 2).df == 0
    assert fit_prior(np.array([1.0, 9.0, 0.0, 0.0]), 2).df == 0


def test_a_zero_is_left_out_but_takes_from_the_others():
    with_zero, without = np.array([1.0, 30.0, 0.1, 0.0]), np.array([1.0, 30.0, 0.1])
    prior = fit_prior(with_zero, 3)
    assert prior == fit_prior(without, 3)
    assert posterior_variances(with_zero, 3, prior)[3] == pytest.approx(prior.df * prior.variance / (prior.df + 3))


def test_a_planted_law_is_found():
    rng = np.random.default_rng(0)
    true = 8 * 0.5 / rng.chisquare(8, 20_000)
    df = np.where(np.arange(20_000) % 2, 2, 6)
    prior = fit_prior(true * rng.chisquare(df) / df, df)
    assert float(prior.df) == pytest.approx(8, rel=0.1)
    assert float(prior.variance) == pytest.approx(0.5, rel=0.03)


def test_every_leading_index_has_a_prior_of_its_own():
    variances = np.array([[1.0, 4.0, 0.2, 9.0], [1.0, 1.1, 0.9, 1.0]])
    both = fit_prior(variances, 2)
    for row in range(2):
        one = fit_prior(variances[row], 2)
        assert (both.df[row], both.variance[row]) == (one.df, one.variance)
