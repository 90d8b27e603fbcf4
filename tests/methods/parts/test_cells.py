import pytest
import torch
from awkward import normal

from methods.parts.cells import cells_of


@pytest.mark.parametrize(("count", "most"), [(1, 8), (8, 8), (9, 8), (31, 8), (100, 16), (1000, 64)])
def test_cells_hold_every_row_once(count, most):
    cells = cells_of(normal(count, 4), most)
    assert cells.dtype == torch.int64
    assert cells.shape[1] == most
    assert sorted(cells[cells >= 0].tolist()) == list(range(count))
    assert cells.shape[0] <= 2 * -(-count // most)


def test_they_are_cut_along_two_coordinates():
    places = torch.cat(
        [normal(64, 1), torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0)), normal(64, 2)], dim=1
    )
    places = places[torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    cells = cells_of(places, 16)
    assert cells.shape == (4, 16)
    for cell in cells:
        assert (places[cell].amax(0) - places[cell].amin(0))[1:3].tolist() == [3, 3]


def test_rows_that_are_not_finite():
    places = normal(100, 4).index_fill(0, torch.tensor([3, 50]), torch.nan)
    places[7, 1], places[8, 2], places[9, 2] = torch.inf, 1e38, -torch.inf
    cells = cells_of(places, 8)
    assert sorted(cells[cells >= 0].tolist()) == list(range(100))
