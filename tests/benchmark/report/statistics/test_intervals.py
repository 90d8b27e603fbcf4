"""Student-t intervals against numbers worked out by hand."""

import math

import numpy as np
import pytest

from benchmark.report.statistics import t_interval

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
