"""Intervals over seeds, and paired comparisons of arms over places of the grid and seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

LEVEL = 0.95
"""Confidence level of every interval; one minus it is the significance level of every comparison."""


class Interval(NamedTuple):
    """A mean over ``n`` runs and the half-width of its Student-t interval (None for one run)."""

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


def paired_p(differences: Sequence[float] | np.ndarray) -> float | None:
    """Two-sided p of a paired t-test; None for fewer than two pairs.

    The paired t rather than Wilcoxon's signed ranks: three pairs can't give a Wilcoxon p below 0.25, six
    none below 0.031, which no correction over arms survives. Its assumption, differences near enough to
    normal, is mild here: a seed gives every arm the same encoder weights and batches.
    """
    differences = np.asarray(differences, dtype=float)
    if differences.size < 2:
        return None
    error = differences.std(ddof=1) / np.sqrt(differences.size)
    if error == 0:
        return 1.0 if differences[0] == 0 else 0.0
    return float(2 * stdtr(differences.size - 1, -abs(differences.mean()) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Step-down adjusted p (Holm 1979): the i-th smallest of m times m - i + 1, monotone, at most 1."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(order))
    worst = 0.0
    for position, index in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - position) * p_values[index]))
        adjusted[index] = worst
    return adjusted.tolist()


class Difference(NamedTuple):
    """One arm against the best: paired difference, averaged over places, over seeds, and its corrected p."""

    arm: str
    difference: Interval | None
    p_holm: float | None


class Comparison(NamedTuple):
    """Arms compared on one metric.

    ``mean_ranks``: 1 is best, ties share; over the ``complete_blocks`` that every arm has, empty where
    there are none. ``best``: the arm the others are compared with. ``differences``: arm minus best.
    ``beyond_chance``: best differs from every other arm at the corrected level.
    """

    best: str
    mean_ranks: dict[str, float]
    complete_blocks: int
    differences: list[Difference]
    beyond_chance: bool


def compare(values: pd.DataFrame, direction: int) -> Comparison | None:
    """Compare the columns (arms) of ``values`` over its rows (blocks, indexed by place and seed).

    Args:
        values: one number a block and arm, NaN where there is no run; the level ``seed`` of its index says what
            blocks have in common.
        direction: -1 where lower is better, +1 where higher is.

    Returns:
        None for fewer than two arms with values. The best arm is the one of best mean rank, or, where no
        block is complete, of best mean; the others are compared with it by a paired t-test over seeds, with Holm's
        correction over them. An arm that shares fewer than two seeds with the best can't be told from it.

    The blocks of one seed have weights and batches in common whatever the place, so they are no independent
    observations: their differences are averaged first, and seeds alone are counted.
    """
    values = values.dropna(axis="columns", how="all")
    if values.shape[1] < 2:
        return None
    complete = values.dropna()
    ranks = complete.rank(axis="columns", ascending=direction < 0).mean()
    scores = ranks if len(complete) else values.mean() * -direction
    # A tie in mean rank goes to the better mean.
    order = pd.DataFrame({"score": scores, "mean": values.mean() * -direction}).sort_values(["score", "mean"])
    best = str(order.index[0])
    others = [str(arm) for arm in values.columns if arm != best]
    by_seed = values.sub(values[best], axis="index").groupby(level="seed").mean()
    pairs = {arm: by_seed[arm].dropna().to_numpy(dtype=float) for arm in others}
    p_values = {arm: p for arm in others if (p := paired_p(pairs[arm])) is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    differences = [Difference(arm, t_interval(pairs[arm]), adjusted.get(arm)) for arm in others]
    beyond_chance = all(
        d.p_holm is not None and d.p_holm < 1 - LEVEL and d.difference is not None and d.difference.mean * direction < 0
        for d in differences
    )
    mean_ranks = {str(arm): float(rank) for arm, rank in ranks.items()} if len(complete) else {}
    return Comparison(best, mean_ranks, len(complete), differences, beyond_chance)
