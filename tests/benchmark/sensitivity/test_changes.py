"""Each change does to images what its row says, and the same every time."""

import pytest
import torch

from benchmark.sensitivity.changes import (
    CHANGES,
    Images,
    background_noise,
    blur,
    gaussian_noise,
    grey_levels,
    lost_class,
    other_images,
    shift,
)


@pytest.fixture
def given() -> Images:
    """Forty images, half of whose pixels are black, of ten classes; fifty others."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (90, 1, 28, 28), generator=generator, dtype=torch.uint8)
    images[torch.rand(images.shape, generator=generator) < 0.5] = 0
    return Images(images[:40], torch.arange(40) % 10, images[40:])


def test_every_change_gives_images_of_the_same_kind_and_the_same_again(given):
    labels = [change.label for change in CHANGES]
    assert len(set(labels)) == len(labels)
    for change in CHANGES:
        changed = change.make(given)
        assert (changed.shape, changed.dtype) == (given.images.shape, torch.uint8), change.label
        assert torch.equal(changed, change.make(given)), change.label
        assert torch.equal(changed, given.images) == (change.label == "identical copies"), change.label


def test_background_noise_is_on_black_pixels_alone(given):
    changed = background_noise(given, highest=4)
    black = given.images == 0
    assert torch.equal(changed[~black], given.images[~black])
    assert changed[black].unique().tolist() == [0, 1, 2, 3, 4]


def test_gaussian_noise_has_its_strength():
    grey = Images(torch.full((20, 1, 28, 28), 128, dtype=torch.uint8), torch.zeros(20), torch.zeros(0))
    assert gaussian_noise(grey, sigma=8).float().std() == pytest.approx(8, rel=0.02)
    assert gaussian_noise(grey, sigma=8).float().mean() == pytest.approx(128, abs=0.2)


def test_blur_spreads_a_point_and_stays_in_its_image():
    point = torch.zeros(2, 1, 9, 9, dtype=torch.uint8)
    point[0, 0, 4, 4] = 255
    changed = blur(Images(point, torch.zeros(2), point), sigma=1)
    # A sampled Gaussian of σ = 1 has 0.3989 in its middle and 0.2420 beside it, each way.
    assert changed[0, 0, 4, 4] == round(255 * 0.3989**2)
    assert changed[0, 0, 4, 5] == round(255 * 0.3989 * 0.2420)
    assert not changed[1].any()


def test_shift_moves_to_the_right_and_black_moves_in(given):
    changed = shift(given, pixels=2)
    assert torch.equal(changed[..., 2:], given.images[..., :-2])
    assert not changed[..., :2].any()


def test_few_grey_levels(given):
    assert grey_levels(given, levels=4).unique().tolist() == [0, 85, 170, 255]
    assert (grey_levels(given, levels=16).int() - given.images).abs().max() <= 8


def test_a_lost_class_is_replaced_by_its_nearest_neighbours():
    grey = torch.tensor([10, 20, 100, 104, 200], dtype=torch.uint8)
    images = grey.reshape(5, 1, 1, 1).expand(-1, 1, 4, 4)
    changed = lost_class(Images(images, torch.tensor([0, 1, 0, 1, 1]), images), lost=0)
    assert changed[:, 0, 0, 0].tolist() == [20, 20, 104, 104, 200]


def test_other_images_are_spread_evenly(given):
    assert torch.equal(other_images(given)[[0, 20, 39]], given.others[[0, 25, 48]])
