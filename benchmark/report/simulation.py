"""The comparison of arms on invented runs whose truth is known: how often it errs, and what it finds."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.report.build import write_table
from benchmark.report.statistics import LEVEL
from benchmark.report.statistics.comparison import lowest_mean_rank
from benchmark.report.statistics.pairs import PairTests, holm, pair_tests
from benchmark.report.table import Block, Cell, Table

ARMS = (4, 8, 26)
SEEDS = (3, 5)
SPREADS = (0.0, 0.75)
"""Standard deviation of log σ over arms; 0.75 is that of PSNR in `remedies`."""
EFFECTS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""By how many standard deviations of the median arm one arm is better than all others, which are equal."""
REPETITIONS = 4000
SHARED = 0.2
"""Share of a seed, common to all arms, in the variance of the median arm; in committed records between 0 and 0.5."""
CORRELATION = 0.98
"""Of an arm's validation and test errors over seeds; in committed records 0.99 for squared errors, less for PSNR."""
_AT_A_TIME = 500
_PROCEDURES = (
    "Moderated t, Holm over pairs (used)",
    "Moderated t, Holm over arms",
    "Plain t, Holm over pairs",
    "Plain t, Holm over arms",
)


class Setting(NamedTuple):
    """One kind of study: how many arms and seeds, how unequal its arms' variances are, and what one of them gains."""

    arms: int
    seeds: int
    spread: float
    effect: float


def write_simulation(results: Path, repetitions: int = REPETITIONS) -> list[Path]:
    """Simulate every setting and write the table into ``statistics/tables`` of the folder ``results``.

    Raises:
        UsageError: nothing can be written there.
    """
    return write_table(simulation_table(repetitions), results / "statistics" / "tables")


def simulation_table(repetitions: int) -> Table:
    """One block a number of arms and seeds and a spread of variances, a row an effect, a column a procedure."""
    blocks, data = [], []
    for arms, seeds, spread in itertools.product(ARMS, SEEDS, SPREADS):
        rows = []
        for effect in EFFECTS:
            setting = Setting(arms, seeds, spread, effect)
            shares = simulate(setting, repetitions)
            name = f"{effect:g} σ: found" if effect else "0: false positives"
            rows.append([Cell(name), *(Cell(f"{100 * share:.1f} %") for share in shares)])
            measures = zip(_PROCEDURES, shares, strict=True)
            data += [{**setting._asdict(), "procedure": procedure, "share": share} for procedure, share in measures]
        variances = f"log-normal σ ({spread:g})" if spread else "equal σ"
        blocks.append(Block(f"{arms} arms · {seeds} seeds · {variances}", rows))
    return Table(
        "statistics",
        "simulation",
        "what the comparison of arms finds where there is nothing, and where there is something",
        ["True difference", *_PROCEDURES],
        blocks,
        pd.DataFrame(data),
        _notes(repetitions),
    )


def simulate(setting: Setting, repetitions: int) -> list[float]:
    """What each procedure makes of invented studies, the same on every call.

    Returns:
        One share a procedure. Without an effect: of studies in which any arm is said to differ from the one compared
        with. With one: of the worse arms, those that are said to be worse than the arm that is truly better, which
        validation must have chosen for it.
    """
    seed = [setting.arms, setting.seeds, round(100 * setting.spread), round(100 * setting.effect)]
    rng = np.random.default_rng(seed)
    sizes = [min(_AT_A_TIME, repetitions - start) for start in range(0, repetitions, _AT_A_TIME)]
    shares = [_shares(setting, size, rng) for size in sizes]
    return np.average(shares, axis=0, weights=sizes).tolist()


def _shares(setting: Setting, repetitions: int, rng: np.random.Generator) -> list[float]:
    validation, test = _draw(setting, repetitions, rng)
    against = lowest_mean_rank(validation)
    shares = []
    for moderated, over_pairs in itertools.product((True, False), (True, False)):
        worse, other = _said(pair_tests(test, moderated=moderated), against, over_pairs)
        if setting.effect:
            shares.append(float((worse * (against == 0)[:, None]).mean()))
        else:
            shares.append(float((worse | other).any(axis=1).mean()))
    return shares


def _draw(setting: Setting, repetitions: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test errors ``[repetitions, seeds, arms]``; the first arm's are less by the effect."""
    shape = (repetitions, setting.seeds, setting.arms)
    deviation = np.exp(setting.spread * rng.standard_normal((repetitions, 1, setting.arms)))
    common = np.sqrt(SHARED) * rng.standard_normal((repetitions, setting.seeds, 1))
    test = rng.standard_normal(shape)
    validation = CORRELATION * test + np.sqrt(1 - CORRELATION**2) * rng.standard_normal(shape)
    truth = np.zeros(setting.arms)
    truth[0] = -setting.effect
    own = np.sqrt(1 - SHARED) * deviation
    return truth + common + own * validation, truth + common + own * test


def _said(tests: PairTests, against: np.ndarray, over_pairs: bool) -> tuple[np.ndarray, np.ndarray]:
    """Which arms are said to be worse, and which better, than those ``against [repetitions]``."""
    first = tests.first == against[:, None]
    of_interest = first | (tests.second == against[:, None])
    shape = (len(against), -1)
    p = tests.p_holm[of_interest].reshape(shape) if over_pairs else holm(tests.p[of_interest].reshape(shape))
    # Errors: the arm compared with is better where it is the first of a pair and the difference is negative.
    is_worse = ((tests.difference < 0) == first)[of_interest].reshape(shape)
    return (p < 1 - LEVEL) & is_worse, (p < 1 - LEVEL) & ~is_worse


def _notes(repetitions: int) -> list[str]:
    return [
        f"{repetitions:,} invented studies a row, normal errors, one place. The arm of lowest mean rank by validation "
        f"error is compared with the others on test, p < {1 - LEVEL:.2f}.",
        "False positives: all arms are equal; share of studies in which any arm is said to differ, which should be at "
        f"most {100 * (1 - LEVEL):.0f} %. Found: one arm is better than all others by so many σ of the median arm "
        "(seeds and noise together); share of the others that are said to be worse than it.",
        f"Of the median arm's variance {100 * SHARED:.0f} % is its seed's, shared by all arms; an arm's validation "
        f"and test errors correlate with {CORRELATION:g} over seeds, as committed records have it. Log-normal: σ "
        "of an arm's own noise; in parentheses the standard deviation of its logarithm, that of PSNR in `remedies`.",
        "Holm over arms corrects for the arms beside the chosen one only, and errs more often than it says: the luck "
        "by which an arm is chosen on validation is its luck on test, since both measure the same weights. So p is "
        "corrected over all pairs of arms.",
        "With four arms the moderated t is slightly too eager where variances differ: six pairs tell little of how "
        "much. With fewer than four nothing is shared, and it is the plain paired t.",
    ]
