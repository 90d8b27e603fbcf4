"""Every pair of arms tested by the moderated paired t, corrected over all pairs."""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from benchmark.report.statistics.intervals import LEVEL
from benchmark.report.statistics.moderation import Prior, fit_prior, posterior_variances

LEAST_ARMS = 4
"""Fewer give at most three variances, of two independent contrasts, which share nothing: the plain paired t."""
_ROUNDING = 1e-12


class PairTests(NamedTuple):
    """Tests of the pairs ``(first[P], second[P])`` of arms; leading axes are those of the observations.

    ``difference [..., P]``: first minus second, the mean over seeds. ``half_width``: of its interval, which is not
    corrected. ``p``: two-sided. ``p_holm``: corrected over the P pairs. ``prior``: what their variances share.
    """

    first: np.ndarray
    second: np.ndarray
    difference: np.ndarray
    half_width: np.ndarray
    p: np.ndarray
    p_holm: np.ndarray
    prior: Prior


def pair_tests(by_seed: np.ndarray, *, moderated: bool = True) -> PairTests:
    """Test every pair of arms over seeds.

    A seed gives every arm the same weights to start from and the same batches, hence paired. The differences of a
    pair have a variance s² of d = n - 1 degrees of freedom, far too few with three seeds: s² is small by luck as
    often as the difference is large. It is therefore moderated (`fit_prior`): t is taken with the posterior variance,
    and has d0 + d degrees of freedom, or as many as there are observations of independent contrasts,
    (arms - 1)(n - 1), if that is less.

    The prior is fitted over all pairs, not over those with one arm, whose luck all of those would share. Two pairs that
    have an arm in common are correlated; where a pair's log variance is a sum of two arms', the scatter over pairs is
    too small by (arms - 1) / (arms + 1), for which it is made up.

    The correction is Holm's over all pairs and not over the arms beside the one they are compared with, because that
    one is chosen by validation errors of the same runs, whose luck is that of the test errors (in
    committed records squared errors correlate with 0.99 and more over seeds); `benchmark.report.simulation` shows what
    comes of it otherwise.

    Args:
        by_seed: ``[..., n, arms]``, n of at least 2.
        moderated: False for the plain paired t.
    """
    n, arms = by_seed.shape[-2:]
    assert n >= 2, "one seed has no variance"
    first, second = np.triu_indices(arms, 1)
    differences = by_seed[..., first] - by_seed[..., second]
    mean = differences.mean(axis=-2)
    # What rounding leaves of a difference that is the same with every seed is no variance.
    constant = np.ptp(differences, axis=-2) <= _ROUNDING * np.abs(by_seed).max(axis=(-2, -1))[..., None]
    variances = np.where(constant, 0.0, differences.var(axis=-2, ddof=1))
    d = n - 1
    if moderated and arms >= LEAST_ARMS:
        prior = fit_prior(variances, d, dilution=(arms + 1) / (arms - 1))
    else:
        prior = Prior(np.zeros(variances.shape[:-1]), np.zeros(variances.shape[:-1]))
    variances = posterior_variances(variances, d, prior)
    df = np.minimum(prior.df + d, max(d * (arms - 1), d))[..., None]
    error = np.sqrt(variances / n)
    t = np.abs(mean) / np.where(error > 0, error, 1.0)
    p = np.where(error > 0, 2 * stdtr(df, -t), np.where(mean == 0, 1.0, 0.0))
    half_width = stdtrit(df, (1 + LEVEL) / 2) * error
    return PairTests(first, second, mean, half_width, p, holm(p), prior)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Step-down adjusted p, last axis (Holm 1979): the i-th smallest of m times m - i + 1, monotone, up to 1."""
    order = np.argsort(p_values, axis=-1, kind="stable")
    m = p_values.shape[-1]
    raised = np.minimum(1.0, np.take_along_axis(p_values, order, axis=-1) * (m - np.arange(m)))
    adjusted = np.empty_like(p_values)
    np.put_along_axis(adjusted, order, np.maximum.accumulate(raised, axis=-1), axis=-1)
    return adjusted
