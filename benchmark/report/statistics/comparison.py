"""Arms compared over the blocks that all of them have, with the one that validation chooses."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.report.statistics.intervals import LEVEL, Interval
from benchmark.report.statistics.pairs import PairTests, pair_tests


class Difference(NamedTuple):
    """One arm less the arm it is compared with: the mean over places and seeds, its p, and p corrected over all pairs.

    The half-width is that of the moderated t, whose p it agrees with; None, like both p, where one seed is left.
    """

    arm: str
    difference: Interval
    p: float | None
    p_holm: float | None


class PairDifference(NamedTuple):
    """``first`` less ``second``, as `Difference`."""

    first: str
    second: str
    difference: Interval
    p: float | None
    p_holm: float | None


class Comparison(NamedTuple):
    """Arms compared on one metric, over the blocks that every arm has.

    ``against``: the arm the others are compared with; ``on_validation``: whether validation errors chose it, not
    the metric itself. ``mean_ranks``: on the metric, 1 is best, ties share; empty where it has no direction.
    ``blocks``, ``seeds``: how many the comparison rests on. ``left_out``: blocks that every arm has too, of seeds that
    lack places which others have. ``differences``: arm minus ``against``.
    ``beyond_chance``: ``against`` is better than every other arm at the corrected level. ``prior_df``: how many
    degrees of freedom every pair's variance borrows.
    """

    against: str
    on_validation: bool
    mean_ranks: dict[str, float]
    blocks: int
    seeds: int
    left_out: int
    differences: list[Difference]
    beyond_chance: bool
    prior_df: float


def compare(values: pd.DataFrame, direction: int, validation: pd.DataFrame | None = None) -> Comparison | None:
    """Compare the columns (arms) of ``values`` over its complete rows (blocks, indexed by place and seed).

    Args:
        values: one number a block and arm, NaN where there is no run; the level ``seed`` of its index says what
            blocks have in common.
        direction: -1 where lower is better, +1 where higher is, 0 where neither.
        validation: validation errors of the same blocks and arms; the arm of lowest mean rank over the complete
            blocks is the one that the others are compared with. Where one is missing, the metric chooses.

    Returns:
        None for fewer than two arms with values, where no block has all of them, and where nothing can choose an
        arm. An arm without any value is left out; one that lacks some blocks takes them from everybody, for a
        mean over other sizes or seeds is another quantity.

    The blocks of one seed have weights and batches in common whatever the place, so they are no independent
    observations: they are averaged first, and seeds alone are counted (`pair_tests`). All averages are over the same
    places, those of the seed that has most; a seed that lacks one is left out.
    """
    everywhere, complete = _blocks_of_all(values)
    if complete.shape[1] < 2 or not len(complete):
        return None
    chosen_by, on_validation = complete * -direction, False
    if validation is not None:
        errors = validation.reindex(index=complete.index, columns=complete.columns)
        if bool(errors.notna().all(axis=None)):
            chosen_by, on_validation = errors, True
    if not on_validation and not direction:
        return None
    arms = [str(arm) for arm in complete.columns]
    against = int(lowest_mean_rank(chosen_by.to_numpy(dtype=float)))
    by_seed, tests = _tested(complete)
    differences = _differences(arms, against, by_seed, tests)
    ranks = _ranks(complete.to_numpy(dtype=float) * -direction).mean(axis=0) if direction else ()
    return Comparison(
        arms[against],
        on_validation,
        {arm: float(rank) for arm, rank in zip(arms, ranks, strict=False)},
        len(complete),
        len(by_seed),
        len(everywhere) - len(complete),
        differences,
        bool(direction) and all(_is_worse(difference, direction) for difference in differences),
        float(tests.prior.df) if tests else 0.0,
    )


def compare_pairs(values: pd.DataFrame) -> list[PairDifference]:
    """Every pair of the columns of ``values`` over the blocks and by the tests of `compare`; empty where it is None."""
    _, complete = _blocks_of_all(values)
    if complete.shape[1] < 2 or not len(complete):
        return []
    arms = [str(arm) for arm in complete.columns]
    by_seed, tests = _tested(complete)
    if tests is None:
        return [
            PairDifference(arms[i], arms[j], Interval(float(by_seed[0, i] - by_seed[0, j]), None, 1), None, None)
            for i, j in itertools.combinations(range(len(arms)), 2)
        ]
    pairs = zip(tests.first, tests.second, tests.difference, tests.half_width, tests.p, tests.p_holm, strict=True)
    return [
        PairDifference(arms[i], arms[j], Interval(float(mean), float(half), len(by_seed)), float(p), float(p_holm))
        for i, j, mean, half, p, p_holm in pairs
    ]


def is_beyond_chance(p_holm: float | None) -> bool:
    """Whether a corrected p tells two arms apart; one that is missing does not."""
    return p_holm is not None and p_holm < 1 - LEVEL


def lacking(values: pd.DataFrame) -> dict[str, int]:
    """How many of the blocks that some arm has each arm lacks, those that lack any; an arm without any is left out."""
    values = values.dropna(axis="columns", how="all").dropna(how="all")
    missing = values.isna().sum()
    return {str(arm): int(count) for arm, count in missing.items() if count}


def lowest_mean_rank(errors: np.ndarray) -> np.ndarray:
    """Which of the arms of ``errors [..., blocks, arms]`` has the lowest mean rank; a tie goes to the lower mean.

    Ranks, because errors at different places differ in scale: a mean would be that of the hardest place.
    """
    ranks, means = _ranks(errors).mean(axis=-2), errors.mean(axis=-2)
    first = np.isclose(ranks, ranks.min(axis=-1, keepdims=True), rtol=0, atol=1e-9)
    return np.argmin(np.where(first, means, np.inf), axis=-1)


def _ranks(errors: np.ndarray) -> np.ndarray:
    """Of each along the last axis, 1 the lowest, ties share; by pandas, as SciPy's takes half a second to import."""
    return pd.DataFrame(errors.reshape(-1, errors.shape[-1])).rank(axis=1).to_numpy().reshape(errors.shape)


def _blocks_of_all(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The blocks that every arm has, and those of them whose seeds have all places."""
    everywhere = values.dropna(axis="columns", how="all").dropna()
    return everywhere, _of_seeds_with_all_places(everywhere)


def _tested(complete: pd.DataFrame) -> tuple[np.ndarray, PairTests | None]:
    """Means by seed ``[n, arms]``, and the tests of all pairs; None where one seed is left."""
    by_seed = complete.groupby(level="seed").mean().to_numpy(dtype=float)
    return by_seed, pair_tests(by_seed) if len(by_seed) > 1 else None


def _of_seeds_with_all_places(blocks: pd.DataFrame) -> pd.DataFrame:
    places: dict[object, set[object]] = {}
    for place, seed in blocks.index:
        places.setdefault(seed, set()).add(place)
    most = max(places.values(), key=len, default=set())
    return blocks.loc[[most <= places[seed] and place in most for place, seed in blocks.index]]


def _differences(arms: list[str], against: int, by_seed: np.ndarray, tests: PairTests | None) -> list[Difference]:
    seeds = len(by_seed)
    differences = []
    for index, arm in enumerate(arms):
        if index == against:
            continue
        mean = float((by_seed[:, index] - by_seed[:, against]).mean())
        if tests is None:
            differences.append(Difference(arm, Interval(mean, None, seeds), None, None))
            continue
        low, high = min(index, against), max(index, against)
        [pair] = np.flatnonzero((tests.first == low) & (tests.second == high))
        interval = Interval(mean, float(tests.half_width[pair]), seeds)
        differences.append(Difference(arm, interval, float(tests.p[pair]), float(tests.p_holm[pair])))
    return differences


def _is_worse(difference: Difference, direction: int) -> bool:
    return is_beyond_chance(difference.p_holm) and difference.difference.mean * direction < 0
