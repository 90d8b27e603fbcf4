"""Points in cells of neighbours: every one in one cell, all cells alike in size, and small."""

import numpy as np
import pytest

from methods.parts.orders import cells, kd_order, strip_order

both = pytest.mark.parametrize("order", [kd_order, strip_order])


def cloud(count, seed=0):
    """Flat: it varies less and less from coordinate to coordinate, the first of which is a length."""
    points = np.random.default_rng(seed).standard_normal((count, 8)) * np.logspace(0, -1.5, 8)
    return np.roll(points, 1, axis=1).astype(np.float32)


def width(points, order):
    """Mean squared diagonal of the boxes around cells."""
    boxes = [points[cell[cell >= 0]] for cell in order]
    return np.mean([np.square(np.ptp(box, axis=0)).sum() for box in boxes])


@both
@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 129, 1000, 5000])
def test_every_point_has_one_place(order, count):
    found = order(cloud(count), 64)
    assert found.dtype == np.int32
    assert found.shape == (cells(count, 64), -(-count // cells(count, 64)))
    assert sorted(found[found >= 0].tolist()) == list(range(count))


@both
def test_cells_are_small(order):
    points = cloud(8192)
    drawn = np.random.default_rng(1).permutation(8192).astype(np.int32).reshape(-1, 64)
    assert width(points, order(points, 64)) < 0.15 * width(points, drawn)


def test_strips_are_nearly_as_good():
    points = cloud(8192)
    assert width(points, strip_order(points, 64)) < 1.5 * width(points, kd_order(points, 64))


@both
@pytest.mark.parametrize("count", [1, 8])
def test_points_far_away_cost_others_little(order, count):
    points = cloud(8192)
    far = points.copy()
    far[:count] *= 1e7
    found = order(far, 64)
    cells_of_far = (found < count).any(1) & (found >= 0).any(1)
    assert width(points, found[~cells_of_far]) < 1.3 * width(points, order(points, 64))


@both
def test_what_is_not_finite_or_all_the_same_has_a_place_too(order):
    points = cloud(500)
    points[::7], points[1::7], points[2::7] = np.nan, np.inf, -np.inf
    for awkward in (points, np.zeros_like(points), np.full_like(points, np.nan), points * 1e-38, points * 1e38):
        found = order(awkward, 64)
        assert sorted(found[found >= 0].tolist()) == list(range(500))
