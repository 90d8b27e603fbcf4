"""Crops of pictures whose pixels say where they are."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data.parts.crops import Pyramids, RandomCrops, detail, grid, reduce, spread


def gradient(height: int, width: int, blue: int) -> Image.Image:
    """Red is the row, green the column."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([rows, columns, np.full_like(rows, blue)], 2))


@pytest.fixture(scope="module")
def pyramids() -> Pyramids:
    return Pyramids(**reduce([gradient(20, 30, 7), gradient(9, 30, 8), gradient(40, 10, 9)], (10, 20)))


def test_scales_end_where_an_image_does(pyramids):
    assert pyramids.levels[:, :3].tolist() == [[0, 10, 15], [0, 20, 30], [2, 40, 10]]
    assert len(pyramids.pixels) == 3 * (150 + 600 + 400)


def test_the_grid_lies_in_the_middle_and_does_not_overlap(pyramids):
    crops, owners = grid(pyramids, [0, 1, 2], 8)
    assert owners.tolist() == [0] * (1 + 6) + [2] * 5
    assert crops.shape == (12, 3, 8, 8)
    assert crops.dtype == torch.uint8
    corners = crops[1:7, :2, 0, 0].tolist()
    assert corners == [[top, left] for top in (2, 10) for left in (3, 11, 19)]
    assert (crops[7:, 2] == 9).all()


def test_random_crops_come_from_anywhere_in_the_photographs_named(pyramids):
    draw = RandomCrops(pyramids, [0], 8)
    crops = draw(4000, 0, torch.Generator().manual_seed(0))
    assert torch.equal(crops[:9], RandomCrops(pyramids, [0], 8)(4000, 5, torch.Generator().manual_seed(0))[:9])
    assert (crops[:, 2] == 7).all()
    down, right = crops[:, 0].diff(dim=1), crops[:, 1].int().diff(dim=2)
    large = (down[:, 0, 0] == 1) & (right[:, 0, 0].abs() == 1)  # the small scale steps by two
    assert large.float().mean() == pytest.approx(6 / 7, abs=0.03)
    assert (right[:, 0, 0] < 0).float().mean() == pytest.approx(0.5, abs=0.03)
    tops = crops[large, 0, 0, 0]
    assert tops.unique().tolist() == list(range(13))


def test_detail_is_contrast_times_steps_and_the_best_of_each_part_is_shown():
    flat = torch.full((1, 4, 4), 9, dtype=torch.uint8)
    halves = torch.zeros(1, 4, 4, dtype=torch.uint8)
    halves[:, :, 2:] = 90
    stripes = torch.zeros(1, 4, 4, dtype=torch.uint8)
    stripes[:, :, ::2] = 90
    crops = torch.stack([flat, halves, stripes, flat, stripes, halves])
    contrast = 45 * (16 / 15) ** 0.5
    assert detail(crops).tolist() == pytest.approx([0, contrast * 30, contrast * 90, 0, contrast * 90, contrast * 30])
    assert spread(crops, 2) == [2, 4]
    assert spread(crops[:2], 3) == [0, 1]  # fewer crops than parts
