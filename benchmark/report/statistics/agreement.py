"""How far the order of arms after a shorter training is that after a longer one."""

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
