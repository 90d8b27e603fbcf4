"""How far from done a run is, in decibels: from the curve of its validation error."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.metrics.catalogue import Metric

TAIL = 0.6
"""Share of the steps from which on the slope is fitted: the last 40 % of a run."""
FEWEST = 4
"""Points without which no slope is told from noise."""
ABOVE_BEST_DB = 0.1
"""Beyond this a run is marked as one that ends above its own best."""

GAIN, ABOVE_BEST = "gain_db_per_doubling", "above_best_db"
PROGRESS = {
    GAIN: Metric(
        "Gain",
        "how fast the validation error falls with the number of steps, fitted over the last 40 % of a run",
        ".2f",
        unit="dB a doubling",
    ),
    ABOVE_BEST: Metric("Above best", "last validation error over the lowest of the run", ".2f", unit="dB"),
}
"""Measured from the history of a run. No direction: a run that gains more is no better one, only less done."""


class Progress(NamedTuple):
    """How far from done a run is: dB gained per doubling of steps, and dB by which it ends above its own best."""

    gain: float | None
    above_best: float | None


def progress(history: pd.DataFrame | None) -> Progress:
    """From a run's history (columns ``step`` and ``validation_error``); both are None where it has none."""
    if history is None or "validation_error" not in history:
        return Progress(None, None)
    steps, errors = history["step"].to_numpy(dtype=float), history["validation_error"].to_numpy(dtype=float)
    measured = np.isfinite(steps) & np.isfinite(errors)
    steps, errors = steps[measured], errors[measured]
    return Progress(gain_db_per_doubling(steps, errors), above_best_db(errors))


def gain_db_per_doubling(steps: np.ndarray, errors: np.ndarray) -> float | None:
    """Decibels that the error ``[T]`` falls per doubling of the ``steps`` ``[T]``, ascending; negative where it rises.

    The slope of the least-squares line through 10·log10(error) on log2(step) over the points from `TAIL` of the last
    step on; None with fewer than `FEWEST` of them, or where one is not positive.
    """
    if not len(steps):
        return None
    tail = (steps >= TAIL * steps[-1]) & (steps > 0)
    if tail.sum() < FEWEST or (errors[tail] <= 0).any():
        return None
    doublings, decibels = np.log2(steps[tail]), 10 * np.log10(errors[tail])
    centred = doublings - doublings.mean()
    return float(-(centred @ decibels) / (centred @ centred))


def above_best_db(errors: np.ndarray) -> float | None:
    """Decibels by which the last of the ``errors`` ``[T]`` is above the lowest; None where there is none.

    Infinite where the lowest is zero and the last is not.
    """
    if not len(errors):
        return None
    last, lowest = float(errors[-1]), float(errors.min())
    if last == lowest:
        return 0.0
    return 10 * math.log10(last / lowest) if lowest > 0 else math.inf
