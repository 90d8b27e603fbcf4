"""How far from done: slopes and overshoots of curves whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest

from benchmark.report.progress import Progress, above_best_db, gain_db_per_doubling, progress

STEPS = np.array([1, *range(40, 1001, 40)], dtype=float)


@pytest.mark.parametrize("decibels", [3.0, 0.5, 0.0, -1.5])
def test_a_straight_fall_has_its_slope(decibels: float) -> None:
    errors = 10 ** (-decibels * np.log2(STEPS) / 10)
    assert gain_db_per_doubling(STEPS, errors) == pytest.approx(decibels, abs=1e-9)


def test_halving_the_error_with_every_doubling_gains_three_decibels() -> None:
    assert gain_db_per_doubling(STEPS, 5 / STEPS) == pytest.approx(10 * math.log10(2), rel=1e-12)


def test_only_the_last_two_fifths_count() -> None:
    errors = np.where(STEPS >= 600, 1 / STEPS, 7.0)
    assert gain_db_per_doubling(STEPS, errors) == pytest.approx(10 * math.log10(2), rel=1e-12)
    errors = np.where(STEPS > 600, 1 / STEPS, 7.0)
    assert gain_db_per_doubling(STEPS, errors) != pytest.approx(10 * math.log10(2), rel=0.5)


def test_the_fit_is_least_squares() -> None:
    steps, decibels = np.array([8.0, 10.0, 12.0, 13.0]), np.array([-1.0, -3.0, -2.0, -5.0])
    slope, _ = np.polyfit(np.log2(steps), decibels, 1)
    assert gain_db_per_doubling(steps, 10 ** (decibels / 10)) == pytest.approx(-slope, rel=1e-9)


def test_no_slope_from_three_points_or_through_zero() -> None:
    assert gain_db_per_doubling(STEPS[:0], STEPS[:0]) is None
    assert gain_db_per_doubling(np.array([10.0, 60.0, 80.0, 100.0]), np.ones(4)) is None
    assert gain_db_per_doubling(np.array([60.0, 70.0, 80.0, 100.0]), np.ones(4)) == 0.0
    errors = np.where(STEPS == 800, 0.0, 1.0)
    assert gain_db_per_doubling(STEPS, errors) is None


def test_above_its_own_best() -> None:
    assert above_best_db(np.array([4.0, 2.0, 1.0])) == 0.0
    assert above_best_db(np.array([4.0, 1.0, 2.0])) == pytest.approx(10 * math.log10(2))
    assert above_best_db(np.array([1.0, 0.0, 0.0])) == 0.0
    assert above_best_db(np.array([0.0, 1.0])) == math.inf
    assert above_best_db(np.array([])) is None


def test_of_a_history() -> None:
    history = pd.DataFrame({"step": STEPS, "validation_error": 1 / STEPS, "usage": math.nan})
    assert progress(history) == Progress(pytest.approx(10 * math.log10(2)), 0.0)
    history.loc[[3, 20], "validation_error"] = [math.nan, math.inf]
    assert progress(history) == Progress(pytest.approx(10 * math.log10(2)), 0.0)
    assert progress(history.drop(columns="validation_error")) == Progress(None, None)
    assert progress(history.iloc[:0]) == Progress(None, None)
    assert progress(None) == Progress(None, None)
