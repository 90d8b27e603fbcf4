"""Kendall's tau of planted orders."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.report.statistics import agreement, contradictions

WOBBLE = np.array([0.0, 0.01, -0.01])[:, None]
NOISE = 0.001 * np.random.default_rng(0).standard_normal((3, 5))


def runs(means: list[float], arms: str = "abcde") -> pd.DataFrame:
    """Three seeds, arms apart by far more than seeds differ."""
    return pd.DataFrame(np.array(means) + WOBBLE + NOISE[:, : len(means)], columns=list(arms)[: len(means)])


def test_the_same_order_and_its_reverse():
    longer = runs([1, 2, 3, 4, 5])
    same, turned = agreement(runs([2, 3, 5, 7, 8]), longer), agreement(runs([5, 4, 3, 2, 1]), longer)
    assert same == (1.0, 10, 1.0, 10, 3)
    assert turned == (-1.0, 10, -1.0, 10, 3)


def test_one_pair_of_neighbours_exchanged():
    found = agreement(runs([2, 1, 3, 4, 5]), runs([1, 2, 3, 4, 5]))
    assert found is not None
    assert found.tau == pytest.approx((9 - 1) / 10)
    assert found.tau_all == pytest.approx(stats.kendalltau([2, 1, 3, 4, 5], [1, 2, 3, 4, 5]).statistic)


def test_pairs_that_are_not_beyond_chance_do_not_count():
    """Two arms that the longer length can't tell apart may stand in any order at the shorter one."""
    longer = runs([1, 2, 3, 4, 4])
    longer["e"] = longer["d"] + [0.001, -0.0005, 0.0003]
    found = agreement(runs([1, 2, 3, 5, 4]), longer)
    assert found is not None
    assert (found.tau, found.beyond_chance) == (1.0, 9)
    assert found.tau_all == pytest.approx((9 - 1) / 10)


def test_a_tie_is_neither_concordant_nor_discordant():
    shorter = pd.DataFrame({"a": [1.0], "b": [1.0], "c": [2.0]})
    found = agreement(shorter, runs([1, 2, 3]))
    assert found is not None
    assert found.tau == pytest.approx(2 / 3)


def test_one_seed_tells_nothing_beyond_chance():
    assert agreement(runs([1, 2, 3]), runs([1, 3, 2]).iloc[:1]) == (None, 0, pytest.approx(1 / 3), 3, 0)


def test_arms_that_only_one_length_has_are_left_out():
    found = agreement(runs([1, 2, 3], "abc"), runs([1, 2, 3], "abx"))
    assert found is not None
    assert (found.tau, found.pairs) == (1.0, 1)
    assert agreement(runs([1], "a"), runs([1, 2], "ab")) is None


def test_pairs_that_two_metrics_put_the_other_way_round_are_named_better_first() -> None:
    found = contradictions(runs([1, 2, 3, 4, 5]), runs([10, 30, 20, 40, 50]))
    assert found is not None
    assert found.turned == [("b", "c")]
    assert (found.told, found.pairs, found.seeds) == (10, 10, 3)
    assert found.tau == pytest.approx((9 - 1) / 10)
    agreeing = contradictions(runs([5, 4, 3]), runs([9, 7, 2]))
    assert agreeing == ([], 3, 1.0, 3, 3, [])


def test_what_one_metric_can_not_tell_apart_is_not_turned() -> None:
    second = runs([10, 20, 31, 40, 50])
    second["b"] = second["c"] + [0.002, 0.001, -0.001]
    found = contradictions(runs([1, 2, 3, 4, 5]), second)
    assert found is not None
    assert (found.turned, found.told) == ([], 9)
    assert found.tau == pytest.approx((9 - 1) / 10)
    assert found.turned_means == [("b", "c")]
    assert contradictions(runs([1, 2]).iloc[:1], runs([2, 1]).iloc[:1]) == ([], 0, -1.0, 1, 0, [("a", "b")])
    assert contradictions(runs([1, 2]).iloc[:1], runs([2, 1]).iloc[1:]) is None
