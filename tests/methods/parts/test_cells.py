import itertools

import pytest
import torch
from awkward import normal

from methods.parts.cells import cells_of, strips_of

WAYS = {"tree": cells_of, "strips": strips_of}


@pytest.fixture(params=WAYS)
def order(request):
    return WAYS[request.param]


@pytest.mark.parametrize(("count", "most"), [(1, 8), (8, 8), (9, 8), (31, 8), (100, 16), (1000, 64)])
def test_cells_hold_every_row_once(order, count, most):
    cells = order(normal(count, 4), most)
    assert cells.dtype == torch.int64
    assert cells.shape[1] == most
    assert sorted(cells[cells >= 0].tolist()) == list(range(count))
    assert cells.shape[0] <= 2 * -(-count // most)


def test_cells_are_neighbours(order):
    """On a line each is a part of it."""
    line = normal(400, 1)
    cells = order(torch.cat([0.01 * normal(400, 1, seed=1), line, torch.zeros(400, 1)], dim=1), 25)
    ranges = sorted((float(line[cell].min()), float(line[cell].max())) for cell in cells)
    assert len(ranges) == 16
    pairs = list(itertools.pairwise(ranges))
    apart = [before[1] < after[0] for before, after in pairs]
    assert sum(apart) >= (15 if order is cells_of else 3)


def test_strips_are_cut_along_two_coordinates():
    places = torch.cat([torch.zeros(64, 1), torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0))], dim=1)
    cells = strips_of(places[torch.randperm(64, generator=torch.Generator().manual_seed(0))], 16)
    assert cells.shape == (4, 16)
    shuffled = places[torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    for cell in cells:
        assert (shuffled[cell].amax(0) - shuffled[cell].amin(0)).tolist() == [0, 3, 3]


def test_rows_that_are_not_finite(order):
    places = normal(100, 4).index_fill(0, torch.tensor([3, 50]), torch.nan)
    places[7, 1], places[8, 2] = torch.inf, 1e38
    cells = order(places, 8)
    assert sorted(cells[cells >= 0].tolist()) == list(range(100))
