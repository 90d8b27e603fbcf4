"""Variances that borrow strength from each other: the empirical Bayes step of the moderated t."""

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, polygamma

_LEAST_VARIANCES = 3
"""Fewer say nothing about how variances scatter."""


class Prior(NamedTuple):
    """What variances have in common: ``variance`` s0², known as well as from ``df`` = d0 degrees of freedom.

    d0 = 0: nothing is shared. d0 = inf: the variances differ by no more than chance.
    """

    df: np.ndarray
    variance: np.ndarray


def fit_prior(variances: np.ndarray, df: np.ndarray | float, dilution: float = 1.0) -> Prior:
    """The prior of sample variances ``[..., G]`` of ``df`` degrees of freedom d, by the moments of their logarithms.

    Smyth, "Linear models and empirical Bayes methods for assessing differential expression in microarray
    experiments", Stat. Appl. Genet. Mol. Biol. 3 (2004), section 6.2; as ``fitFDist`` of limma. Derivation: let
    1/σ² ~ χ²(d0) / (d0 s0²) and s² | σ² ~ σ² χ²(d) / d. Then s² / s0² has an F law of d and d0 degrees of
    freedom, the logarithm of which is the difference of two log-gamma variables; so e = log s² - ψ(d/2) + log(d/2) has

        mean      log s0² - ψ(d0/2) + log(d0/2)
        variance  ψ'(d/2) + ψ'(d0/2).

    The sample variance of e less ψ'(d/2) gives d0, then the mean gives s0². Where it is not positive, d0 = inf and
    s0² is the pooled variance.

    Args:
        variances: at least 0. A zero (two arms that use every codeword with every seed) is left out: it says nothing
            of the others.
        df: one for all, or of the shape of ``variances``.
        dilution: by how much the sample variance of e is too small because the G are not independent; it is
            multiplied by it.

    Returns:
        One prior for each leading index; d0 = 0 where fewer than three variances are positive.
    """
    d = np.broadcast_to(np.asarray(df, dtype=float), variances.shape)
    used = (variances > 0) & (d > 0)
    count = used.sum(axis=-1)
    half = np.where(used, d, 1.0) / 2
    e = np.where(used, np.log(np.where(used, variances, 1.0)) - digamma(half) + np.log(half), 0.0)
    n = np.maximum(count, 2)
    mean = e.sum(axis=-1) / n
    scatter = dilution * (np.where(used, e - mean[..., None], 0.0) ** 2).sum(axis=-1) / (n - 1)
    excess = scatter - np.where(used, polygamma(1, half), 0.0).sum(axis=-1) / n
    finite = excess > 0
    d0 = 2 * trigamma_inverse(np.where(finite, excess, 1.0))
    s0 = np.exp(mean + digamma(d0 / 2) - np.log(d0 / 2))
    pooled = np.where(used, d * variances, 0.0).sum(axis=-1) / np.maximum(np.where(used, d, 0.0).sum(axis=-1), 1e-300)
    enough = count >= _LEAST_VARIANCES
    return Prior(
        np.where(enough, np.where(finite, d0, np.inf), 0.0), np.where(enough, np.where(finite, s0, pooled), 0.0)
    )


def posterior_variances(variances: np.ndarray, df: np.ndarray | float, prior: Prior) -> np.ndarray:
    """(d0 s0² + d s²) / (d0 + d): the variances drawn towards what they have in common."""
    d0, s0 = prior.df[..., None], prior.variance[..., None]
    own = np.where(np.isinf(d0), 0.0, df / np.where(np.isinf(d0), 1.0, d0 + df))
    return (1 - own) * s0 + own * variances


def trigamma_inverse(x: np.ndarray) -> np.ndarray:
    """y > 0 with ψ'(y) = x > 0, by Newton's method on 1/ψ', which is nearly linear (Smyth 2004, appendix)."""
    y = 0.5 + 1 / x
    for _ in range(50):
        trigamma = polygamma(1, y)
        step = trigamma * (1 - trigamma / x) / polygamma(2, y)
        y = y + step
        if np.max(-step / y, initial=0.0) < 1e-10:
            break
    return y
