"""Comparisons of arms: blocks that all have, the arm that validation chooses, and what is beyond chance."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.report.statistics import compare, compare_pairs, is_beyond_chance, lacking
from benchmark.report.statistics.comparison import lowest_mean_rank

NAN = float("nan")


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
    assert comparison.against == "a"
    assert (comparison.blocks, comparison.seeds, comparison.left_out) == (2, 2, 0)


def test_direction_turns_the_ranks():
    comparison = compare(blocks(a=[1.0, 1.1], b=[2.0, 2.2]), direction=1)
    assert comparison is not None
    assert comparison.against == "b"
    assert comparison.mean_ranks == {"a": 2.0, "b": 1.0}


def test_best_beyond_chance():
    comparison = compare(blocks(a=[1.0, 1.1, 1.2], b=[2.0, 2.11, 2.2], c=[3.0, 3.1, 3.19]), direction=-1)
    assert comparison is not None
    assert comparison.beyond_chance
    first, second = comparison.differences
    assert (first.arm, second.arm) == ("b", "c")
    p_b, p_c = stats.ttest_1samp([1.0, 1.01, 1.0], 0).pvalue, stats.ttest_1samp([2.0, 2.0, 1.99], 0).pvalue
    p_bc = stats.ttest_1samp([1.0, 0.99, 0.99], 0).pvalue
    assert p_c < p_bc
    assert p_c < p_b
    assert (first.p, second.p) == pytest.approx((p_b, p_c), rel=1e-9)
    assert second.p_holm == pytest.approx(3 * p_c, rel=1e-9)  # of three pairs
    assert first.difference.mean == pytest.approx(3.01 / 3)


def test_best_by_chance_is_not_marked():
    comparison = compare(blocks(a=[1.0, 1.2, 1.1], b=[1.1, 1.1, 1.2], c=[3.0, 3.1, 3.2]), direction=-1)
    assert comparison is not None
    assert comparison.against == "a"
    assert not comparison.beyond_chance


def test_one_seed_is_not_tested():
    comparison = compare(blocks(a=[1.0], b=[2.0]), direction=-1)
    assert comparison is not None
    assert comparison.differences == [("b", (1.0, None, 1), None, None)]
    assert not comparison.beyond_chance


def test_validation_chooses_and_test_decides():
    test = blocks(a=[1.0, 1.1, 1.2], b=[2.0, 2.1, 2.2], c=[3.0, 3.1, 3.2])
    comparison = compare(test, -1, blocks(a=[5.0, 5.0, 5.0], b=[1.0, 1.0, 1.0], c=[2.0, 2.0, 2.0]))
    assert comparison is not None
    assert (comparison.against, comparison.on_validation) == ("b", True)
    assert {d.arm: round(d.difference.mean, 9) for d in comparison.differences} == {"a": -1.0, "c": 1.0}
    assert all(d.p_holm is not None and d.p_holm < 0.05 for d in comparison.differences)
    assert not comparison.beyond_chance  # `a` is better on test
    assert comparison.mean_ranks == {"a": 1.0, "b": 2.0, "c": 3.0}


def test_the_metric_chooses_where_a_validation_error_is_missing():
    test = blocks(a=[1.0, 1.1], b=[2.0, 2.1])
    for validation in (None, blocks(a=[5.0, NAN], b=[1.0, 1.0]), blocks(b=[1.0, 1.0])):
        comparison = compare(test, -1, validation)
        assert comparison is not None
        assert (comparison.against, comparison.on_validation) == ("a", False)


def test_a_validation_error_of_an_incomplete_block_does_not_choose():
    test = blocks(a=[1.0, 1.1, 1.2], b=[2.0, 2.1, NAN])
    comparison = compare(test, -1, blocks(a=[2.0, 2.0, 0.0], b=[1.0, 1.0, NAN]))
    assert comparison is not None
    assert (comparison.against, comparison.on_validation) == ("b", True)


def test_without_a_direction_nothing_is_ranked_or_best():
    usage = blocks(a=[0.9, 0.91, 0.92], b=[0.1, 0.11, 0.13])
    comparison = compare(usage, 0, blocks(a=[1.0, 1.0, 1.0], b=[2.0, 2.0, 2.0]))
    assert comparison is not None
    assert (comparison.against, comparison.mean_ranks, comparison.beyond_chance) == ("a", {}, False)
    [difference] = comparison.differences
    assert difference.difference.mean == pytest.approx(-0.91 + 0.34 / 3)
    assert difference.p_holm is not None
    assert difference.p_holm < 0.001
    assert compare(usage, 0) is None


def test_a_missing_block_is_missing_for_everybody():
    table = blocks(a=[1.0, 1.1, NAN, 1.0], b=[2.0, 2.1, 2.2, 2.1], c=[3.0, NAN, 3.0, 3.1])
    comparison = compare(table, direction=-1)
    assert comparison is not None
    assert (comparison.blocks, comparison.seeds) == (2, 2)
    assert [d.difference.n for d in comparison.differences] == [2, 2]
    assert [round(d.difference.mean, 9) for d in comparison.differences] == [1.05, 2.05]
    assert lacking(table) == {"a": 1, "c": 1}


def test_an_arm_without_any_block_takes_none():
    table = blocks(a=[1.0, 1.1], b=[2.0, 2.1], c=[NAN, NAN])
    comparison = compare(table, direction=-1)
    assert comparison is not None
    assert comparison.blocks == 2
    assert lacking(table) == {}


def test_a_seed_that_lacks_a_place_is_left_out():
    """Nothing is averaged over other sizes for one seed than for another."""
    values = {(place, 0): (0.0, 1.0 + place) for place in range(5)} | {(4, 1): (0.0, 9.0), (4, 2): (0.0, 9.0)}
    index = pd.MultiIndex.from_tuples(values, names=["place", "seed"])
    table = pd.DataFrame(list(values.values()), index=index, columns=["a", "b"])
    comparison = compare(table, direction=-1)
    assert comparison is not None
    assert (comparison.blocks, comparison.seeds, comparison.left_out) == (5, 1, 2)
    assert comparison.differences == [("b", (3.0, None, 1), None, None)]


def test_nothing_to_compare():
    assert compare(blocks(a=[1.0, 2.0]), direction=-1) is None
    assert compare(blocks(a=[1.0], b=[NAN]), direction=-1) is None
    assert compare(blocks(a=[2.0, NAN], b=[NAN, 1.0]), direction=-1) is None
    assert lacking(blocks(a=[2.0, NAN], b=[NAN, 1.0])) == {"a": 1, "b": 1}


def test_a_tie_in_rank_goes_to_the_lower_mean():
    errors = np.array([[1.0, 2.0, 9.0], [2.0, 0.5, 9.0]])
    assert lowest_mean_rank(errors) == 1
    assert lowest_mean_rank(np.stack([errors, errors[:, ::-1]])).tolist() == [1, 1]


def test_three_seeds_do_not_decide_by_luck():
    """A small difference that happens to be steady must not pass where a large one that varies fails."""
    values = 10 + 0.5 * np.random.default_rng(0).standard_normal((3, 10))
    values[:, 1] = values[:, 0] - [1.0, 1.05, 0.95]
    values[:, 2] = values[:, 0] - [5.4, 6.4, 4.4]
    names = ["first", "steady", "worst", *"cdefghi"]
    table = seeds(pd.DataFrame(values, columns=names))
    validation = table.assign(**dict.fromkeys(names, 1.0)).assign(first=0.0)
    plain = [stats.ttest_rel(table["first"], table[arm]).pvalue for arm in ("steady", "worst")]
    assert plain[0] < 0.001 < 0.01 < plain[1]
    comparison = compare(table, 1, validation)
    assert comparison is not None
    p_holm = {d.arm: d.p_holm for d in comparison.differences}
    assert p_holm["worst"] is not None
    assert p_holm["worst"] < 0.01
    assert p_holm["steady"] is not None
    assert p_holm["steady"] > 0.3


def test_places_of_a_seed_are_no_independent_observations():
    """What a seed does to an arm at every place alike must not pass for a difference between arms."""
    values = np.random.default_rng(3).standard_normal((5, 3, 2))
    comparison = compare(seeds(pd.DataFrame(values.reshape(15, 2), columns=["a", "b"]), places=5), direction=-1)
    assert comparison is not None
    [difference] = comparison.differences
    assert difference.difference.n == 3
    assert difference.p == pytest.approx(stats.ttest_rel(*values.mean(axis=0).T).pvalue, rel=1e-9)


def test_all_pairs_are_tested_as_those_with_the_arm_compared_with():
    table = seeds(
        pd.DataFrame(np.random.default_rng(3).normal(0, 1, (6, 5)) + np.arange(5), columns=[*"abcde"]), places=2
    )
    table.iloc[0, 1] = NAN  # and the seed that lacks a place is left out of both
    comparison, pairs = compare(table, direction=-1), compare_pairs(table)
    assert comparison is not None
    assert len(pairs) == 10
    of = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    for other in comparison.differences:
        pair = of[frozenset((other.arm, comparison.against))]
        sign = 1 if pair.first == other.arm else -1
        assert sign * pair.difference.mean == pytest.approx(other.difference.mean)
        assert (pair.difference.half_width, pair.p, pair.p_holm) == (other.difference.half_width, other.p, other.p_holm)


def test_pairs_of_one_seed_have_no_p():
    [pair] = compare_pairs(blocks(a=[1.0], b=[3.0]))
    assert (pair.first, pair.second, pair.difference.mean, pair.p, pair.p_holm) == ("a", "b", -2.0, None, None)
    assert not is_beyond_chance(pair.p_holm)
    assert compare_pairs(blocks(a=[1.0, 2.0])) == []
