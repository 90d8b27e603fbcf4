"""Student-t intervals over seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
"""Confidence level of every interval; one minus it is the significance level of every comparison."""


class Interval(NamedTuple):
    """A mean over ``n`` runs and the half-width of its interval (None for one run)."""

    mean: float
    half_width: float | None
    n: int


def t_interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """Mean ± t(n - 1) · s / √n of the finite ``values``; None where there are none.

    Student's t, not a percentile bootstrap: with three seeds a bootstrap's 95 % interval covers the
    mean 75 % of the time (simulated, normal law).
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return None
    if finite.size == 1:
        return Interval(float(finite[0]), None, 1)
    half_width = stdtrit(finite.size - 1, (1 + LEVEL) / 2) * finite.std(ddof=1) / np.sqrt(finite.size)
    return Interval(float(finite.mean()), float(half_width), finite.size)
