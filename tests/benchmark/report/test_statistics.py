"""Intervals and comparisons against numbers worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.report.statistics import compare, holm, paired_p, t_interval

T_2 = 0.95 / math.sqrt(2 * 0.975 * 0.025)
"""97.5 % quantile of Student's t with two degrees of freedom in closed form: (2p - 1) / sqrt(2p (1 - p)), 4.303."""


def test_interval_of_three_values():
    interval = t_interval([1.0, 2.0, 3.0])
    assert interval is not None
    assert interval.mean == 2.0
    assert interval.n == 3
    assert interval.half_width == pytest.approx(T_2 / math.sqrt(3), rel=1e-12)


def test_interval_of_one_value_has_no_width():
    assert t_interval([5.0, float("nan")]) == (5.0, None, 1)


def test_interval_of_nothing():
    assert t_interval([]) is None
    assert t_interval([float("nan")]) is None


def test_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).standard_normal((4000, 3))
    intervals = [t_interval(draw) for draw in draws]
    covered = np.mean([abs(i.mean) <= i.half_width for i in intervals if i is not None and i.half_width is not None])
    assert covered == pytest.approx(0.95, abs=0.011)


def test_paired_p_in_closed_form():
    # t = 2 / (1 / sqrt 3); with two degrees of freedom p = 1 - t / sqrt(t² + 2).
    t = 2 * math.sqrt(3)
    assert paired_p([1.0, 2.0, 3.0]) == pytest.approx(1 - t / math.sqrt(t * t + 2), rel=1e-12)


def test_paired_p_is_the_paired_t_test():
    first, second = np.random.default_rng(1).standard_normal((2, 12))
    assert paired_p(first - second) == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=1e-10)


def test_paired_p_without_spread():
    assert paired_p([0.0, 0.0, 0.0]) == 1.0
    assert paired_p([0.5, 0.5]) == 0.0
    assert paired_p([1.0]) is None


def test_holm_by_hand():
    # Sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, and 0.04 · 1 raised to the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_at_most_one_and_takes_nothing():
    assert holm([0.7, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def blocks(**arms: list[float]) -> pd.DataFrame:
    """One place, a seed a row."""
    return seeds(pd.DataFrame(arms))


def seeds(table: pd.DataFrame, places: int = 1) -> pd.DataFrame:
    """``table`` with its rows as the seeds of one place after another."""
    count = len(table) // places
    return table.set_index(pd.MultiIndex.from_product([range(places), range(count)], names=["place", "seed"]))


def test_mean_ranks_share_ties():
    comparison = compare(blocks(a=[1.0, 1.0], b=[1.0, 3.0], c=[2.0, 2.0]), direction=-1)
    assert comparison is not None
    assert comparison.mean_ranks == {"a": 1.25, "b": 2.25, "c": 2.5}
    assert comparison.best == "a"
    assert comparison.complete_blocks == 2


def test_direction_turns_the_ranks():
    comparison = compare(blocks(a=[1.0, 1.1], b=[2.0, 2.2]), direction=1)
    assert comparison is not None
    assert comparison.best == "b"
    assert comparison.mean_ranks == {"a": 2.0, "b": 1.0}


def test_best_beyond_chance():
    comparison = compare(blocks(a=[1.0, 1.1, 1.2], b=[2.0, 2.11, 2.2], c=[3.0, 3.1, 3.19]), direction=-1)
    assert comparison is not None
    assert comparison.beyond_chance
    first, second = comparison.differences
    assert (first.arm, second.arm) == ("b", "c")
    p_b, p_c = stats.ttest_1samp([1.0, 1.01, 1.0], 0).pvalue, stats.ttest_1samp([2.0, 2.0, 1.99], 0).pvalue
    assert p_c < p_b
    assert (first.p_holm, second.p_holm) == pytest.approx((p_b, 2 * p_c), rel=1e-9)
    assert first.difference is not None
    assert first.difference.mean == pytest.approx(3.01 / 3)


def test_best_by_chance_is_not_marked():
    comparison = compare(blocks(a=[1.0, 1.2, 1.1], b=[1.1, 1.1, 1.2], c=[3.0, 3.1, 3.2]), direction=-1)
    assert comparison is not None
    assert comparison.best == "a"
    assert not comparison.beyond_chance


def test_one_block_can_not_tell_best_from_chance():
    comparison = compare(blocks(a=[1.0], b=[2.0]), direction=-1)
    assert comparison is not None
    assert comparison.differences[0].p_holm is None
    assert not comparison.beyond_chance


def test_missing_blocks_leave_ranks_but_not_pairs():
    nan = float("nan")
    comparison = compare(blocks(a=[1.0, 1.1, nan, 1.0], b=[2.0, 2.1, 2.2, 2.1], c=[3.0, nan, 3.0, 3.1]), direction=-1)
    assert comparison is not None
    assert comparison.complete_blocks == 2
    assert comparison.mean_ranks == {"a": 1.0, "b": 2.0, "c": 3.0}
    assert [d.difference.n for d in comparison.differences if d.difference] == [3, 2]


def test_without_a_complete_block_the_best_mean_is_the_reference():
    nan = float("nan")
    comparison = compare(blocks(a=[2.0, nan], b=[nan, 1.0]), direction=-1)
    assert comparison is not None
    assert (comparison.best, comparison.mean_ranks, comparison.complete_blocks) == ("b", {}, 0)
    assert comparison.differences[0].difference is None
    assert not comparison.beyond_chance


def test_nothing_to_compare():
    assert compare(blocks(a=[1.0, 2.0]), direction=-1) is None
    assert compare(blocks(a=[1.0], b=[float("nan")]), direction=-1) is None


def test_false_best_among_equal_arms_is_rare():
    rng = np.random.default_rng(2)
    columns = list("abcd")
    found = [
        compare(seeds(pd.DataFrame(rng.standard_normal((6, 4)), columns=columns)), direction=-1) for _ in range(400)
    ]
    assert np.mean([c.beyond_chance for c in found if c is not None]) <= 0.05


def test_places_of_a_seed_are_no_independent_observations():
    """What a seed does to an arm at every place alike must not pass for a difference between arms."""
    rng = np.random.default_rng(3)
    p_values = []
    for _ in range(400):
        of_seed, noise = rng.standard_normal((1, 3, 2)), rng.standard_normal((5, 3, 2))
        table = pd.DataFrame((of_seed + noise).reshape(15, 2), columns=["a", "b"])
        comparison = compare(seeds(table, places=5), direction=-1)
        assert comparison is not None
        [difference] = comparison.differences
        assert difference.difference is not None
        assert difference.difference.n == 3
        p_values.append(difference.p_holm)
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.025)


def test_a_seed_that_lacks_a_place_counts_with_those_it_has():
    nan = float("nan")
    table = seeds(pd.DataFrame({"a": [0.0, 0.0, 0.0, 0.0], "b": [1.0, 1.0, nan, 3.0]}), places=2)
    comparison = compare(table, direction=-1)
    assert comparison is not None
    assert comparison.differences[0].difference is not None
    assert comparison.differences[0].difference.mean == pytest.approx((1.0 + 2.0) / 2)
