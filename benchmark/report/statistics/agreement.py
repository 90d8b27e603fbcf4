"""How far two orders of arms agree: after a shorter training and a longer one, by one metric and another."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.report.statistics.intervals import LEVEL
from benchmark.report.statistics.pairs import pair_tests


class Agreement(NamedTuple):
    """Kendall's τ of two orders of arms.

    ``tau``: over the ``beyond_chance`` pairs of arms whose difference is so at the longer length; None where there
    are none. ``tau_all``: over all ``pairs``. ``seeds``: how many the longer length was tested with, 0 where there were
    fewer than two.
    """

    tau: float | None
    beyond_chance: int
    tau_all: float | None
    pairs: int
    seeds: int


def agreement(shorter: pd.DataFrame, longer: pd.DataFrame) -> Agreement | None:
    """Compare the orders of arms (columns) by their means over seeds (rows); None for fewer than two arms in both.

    τ = (concordant - discordant) / number of pairs (Kendall 1938, τ_a): a pair that is tied at the shorter length is
    neither. Which pairs count is settled at the longer length by the moderated paired t, corrected over all its pairs
    (`pair_tests`), over the seeds that every arm has.
    """
    arms = [
        arm for arm in longer.columns if arm in shorter and shorter[arm].notna().any() and longer[arm].notna().any()
    ]
    short, long = shorter[arms].dropna(), longer[arms].dropna()
    if len(arms) < 2 or not len(short) or not len(long):
        return None
    first, second = np.triu_indices(len(arms), 1)
    before, after = short.mean().to_numpy(dtype=float), long.mean().to_numpy(dtype=float)
    concordance = np.sign(before[first] - before[second]) * np.sign(after[first] - after[second])
    told = np.zeros(len(first), dtype=bool)
    if len(long) > 1:
        told = pair_tests(long.to_numpy(dtype=float)).p_holm < 1 - LEVEL
    return Agreement(
        float(concordance[told].mean()) if told.any() else None,
        int(told.sum()),
        float(concordance.mean()),
        len(first),
        len(long) if len(long) > 1 else 0,
    )


class Contradictions(NamedTuple):
    """What two metrics say of the order of the same arms.

    ``turned``: pairs (better by the first, better by the second) that both tell apart beyond chance, the other way
    round. ``told``: how many pairs both tell apart. ``tau``: Kendall's over all ``pairs``, chance or not. ``seeds``: as
    `Agreement`. ``turned_means``: as ``turned``, chance or not.
    """

    turned: list[tuple[str, str]]
    told: int
    tau: float
    pairs: int
    seeds: int
    turned_means: list[tuple[str, str]]


def contradictions(first: pd.DataFrame, second: pd.DataFrame) -> Contradictions | None:
    """Compare two metrics, of both of which lower is better, of arms (columns) over the seeds (rows) that all have.

    Each metric tells a pair apart by the tests of `agreement`. None for fewer than two arms, or where no seed has both
    metrics of all.
    """
    arms = [arm for arm in first.columns if arm in second and first[arm].notna().any() and second[arm].notna().any()]
    both = [metric[arms].dropna() for metric in (first, second)]
    seeds = both[0].index.intersection(both[1].index)
    if len(arms) < 2 or not len(seeds):
        return None
    values = [metric.loc[seeds].to_numpy(dtype=float) for metric in both]
    one, other = np.triu_indices(len(arms), 1)
    signs = [np.sign(runs.mean(axis=0)[one] - runs.mean(axis=0)[other]) for runs in values]
    told = np.zeros(len(one), dtype=bool)
    if len(seeds) > 1:
        told = np.logical_and(*(pair_tests(runs).p_holm < 1 - LEVEL for runs in values))
    concordance = signs[0] * signs[1]

    def named(pairs: np.ndarray) -> list[tuple[str, str]]:
        found = ((arms[one[pair]], arms[other[pair]], signs[0][pair] < 0) for pair in np.flatnonzero(pairs))
        return [(a, b) if better else (b, a) for a, b, better in found]

    return Contradictions(
        named(told & (concordance < 0)),
        int(told.sum()),
        float(concordance.mean()),
        len(one),
        len(seeds) if len(seeds) > 1 else 0,
        named(concordance < 0),
    )
