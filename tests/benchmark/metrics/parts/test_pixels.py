"""PSNR and SSIM against scikit-image and SciPy; conversions that lose nothing."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmark.metrics.parts.pixels import enlarge, in_chunks, network_size, psnr, ssim, to_bytes, to_colour


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Three 28x28 colour photographs ``[B, C, H, W]`` in [-1, 1], and noisy copies of different quality."""
    astronaut = data.astronaut().astype(np.float32) / 127.5 - 1
    images = np.stack([astronaut[y : y + 28, 200:228].transpose(2, 0, 1) for y in (0, 60, 120)])
    noise = np.random.default_rng(0).normal(size=images.shape) * np.array([0.02, 0.1, 0.4])[:, None, None, None]
    return images, (images + noise).clip(-1, 1).astype(np.float32)


def test_psnr_of_each_image_as_in_scikit_image(pairs):
    originals, reconstructions = pairs
    expected = [peak_signal_noise_ratio(a, b, data_range=2) for a, b in zip(originals, reconstructions, strict=True)]
    assert psnr(*map(torch.from_numpy, pairs)).numpy() == pytest.approx(expected, rel=1e-5)


def test_psnr_of_the_same_image_is_a_hundred_decibels():
    images = torch.zeros(2, 1, 8, 8)
    assert psnr(images, images).tolist() == [100, 100]


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of one channel in [0, 1]: Wang et al. 2004 with an 11x11 Gaussian window over mirrored borders."""

    def smooth(x):
        return gaussian_filter(x.astype(np.float64), 1.5, truncate=3.5, mode="mirror")

    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    covariance = smooth(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def test_ssim_of_each_image_as_computed_with_scipy(pairs):
    halves = [(images.astype(np.float64) + 1) / 2 for images in pairs]
    expected = [np.mean([ssim_map(a, b) for a, b in zip(x, y, strict=True)]) for x, y in zip(*halves, strict=True)]
    assert ssim(*map(torch.from_numpy, pairs)).numpy() == pytest.approx(expected, abs=1e-5)


def test_ssim_of_a_large_image_as_in_scikit_image():
    original = data.camera()[None].astype(np.float32) / 127.5 - 1
    noise = np.random.default_rng(0).normal(0, 0.2, original.shape)
    reconstruction = (original + noise).clip(-1, 1).astype(np.float32)
    ours = ssim(torch.from_numpy(original)[None], torch.from_numpy(reconstruction)[None])
    # scikit-image leaves the border out.
    theirs = structural_similarity(
        (original[0] + 1) / 2,
        (reconstruction[0] + 1) / 2,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert float(ours) == pytest.approx(theirs, abs=2e-3)


def test_grey_images_have_the_psnr_and_ssim_of_their_colour_copies(pairs):
    grey = [torch.from_numpy(images)[:, :1] for images in pairs]
    colour = [to_colour(images) for images in grey]
    assert colour[0].shape == (3, 3, 28, 28)
    assert psnr(*grey).numpy() == pytest.approx(psnr(*colour).numpy(), rel=1e-6)
    assert ssim(*grey).numpy() == pytest.approx(ssim(*colour).numpy(), abs=1e-6)


def test_all_byte_values_survive():
    values = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_bytes(values.float() / 127.5 - 1), values)
    assert to_bytes(torch.tensor([-1.5, 1.5])).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((32, 32), (64, 64)), ((28, 28), (64, 64)), ((64, 64), (64, 64)), ((32, 48), (64, 96)), ((256, 100), (256, 100))],
)
def test_sizes_at_which_images_enter_a_network(size, expected):
    assert network_size(*size) == expected
    assert enlarge(torch.zeros(1, 3, *size)).shape[2:] == expected


def test_chunks_keep_the_order():
    rows = torch.arange(100.0)
    assert torch.equal(in_chunks(lambda a, b: a + b, rows, rows), 2 * rows)
