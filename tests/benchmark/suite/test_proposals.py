"""Which settings are tried: the same number for every arm, beyond an end that is best, else beside the best."""

import pytest

from benchmark.suite.proposals import Setting, at_the_end, first_settings, next_settings, quarters_of, to_try_longer
from methods import Knob, UsageError

KNOB = Knob("beta", (0.1, 0.25, 1.0), below=(0.03,), above=(3.0, 10.0))
RATES = (1e-3, 3e-3, 1e-2)


def test_rates_are_quarter_decades() -> None:
    assert [Setting(quarters, None).learning_rate for quarters in (-12, -11, -10, -9, -8, 0)] == [
        0.001,
        0.0018,
        0.003,
        0.0056,
        0.01,
        1.0,
    ]
    assert [quarters_of(rate) for rate in RATES] == [-12, -10, -8]
    with pytest.raises(UsageError, match=r"0\.002 is no half or quarter decade"):
        quarters_of(0.002)


def test_an_arm_without_a_knob_gets_as_many_rates_around_the_same_middle() -> None:
    with_knob, without = first_settings(RATES, KNOB), first_settings(RATES, None)
    assert len(with_knob) == len(without) == 9
    assert {setting.params(KNOB)["beta"] for setting in with_knob} == {0.1, 0.25, 1.0}
    assert [setting.quarters for setting in without] == list(range(-14, -5))
    assert without[0].params(None) == {}


@pytest.mark.parametrize(
    ("best", "expected"),
    [
        # Both at an end: further along each, and along both.
        (Setting(-8, 3), [Setting(-6, 3), Setting(-8, 4), Setting(-6, 4)]),
        (Setting(-12, 1), [Setting(-14, 1), Setting(-12, 0), Setting(-14, 0)]),
        # One at an end: beyond it, then beside the best.
        (Setting(-8, 2), [Setting(-6, 2), Setting(-7, 2), Setting(-9, 2)]),
        (Setting(-10, 3), [Setting(-10, 4), Setting(-9, 3), Setting(-11, 3)]),
        # Within: quarter decades beside the best, then further ones.
        (Setting(-10, 2), [Setting(-9, 2), Setting(-11, 2), Setting(-7, 2)]),
    ],
)
def test_further_settings_widen_an_end_or_refine(best: Setting, expected: list[Setting]) -> None:
    errors = dict.fromkeys(first_settings(RATES, KNOB), 1.0) | {best: 0.5}
    assert next_settings(errors, KNOB, 3) == expected


def test_as_many_are_proposed_whatever_is_known() -> None:
    errors = {setting: float("inf") for setting in first_settings(RATES, None)}
    for _ in range(4):
        proposed = next_settings(errors, None, 3)
        assert len(set(proposed) - set(errors)) == 3
        errors |= dict.fromkeys(proposed, float("inf"))


def test_the_best_of_each_of_the_best_rates_is_tried_longer() -> None:
    errors = {Setting(-6, 2): 0.1, Setting(-6, 3): 0.2, Setting(-8, 2): 0.3, Setting(-8, 1): 0.25, Setting(-10, 1): 0.4}
    assert to_try_longer(errors, 2) == [Setting(-6, 2), Setting(-8, 1)]
    assert to_try_longer(errors, 5) == [Setting(-6, 2), Setting(-8, 1), Setting(-10, 1)]


def test_an_end_is_what_nothing_was_tried_beyond() -> None:
    tried = [*first_settings(RATES, KNOB), Setting(-6, 3)]
    assert at_the_end(Setting(-10, 2), tried, KNOB) == []
    assert at_the_end(Setting(-8, 3), tried, KNOB) == ["beta"]
    assert at_the_end(Setting(-8, 2), tried, KNOB) == ["learning_rate"]
    assert at_the_end(Setting(-12, 1), tried, KNOB) == ["learning_rate", "beta"]
    assert at_the_end(Setting(-6, None), [Setting(-6, None), Setting(-8, None)], None) == ["learning_rate"]
