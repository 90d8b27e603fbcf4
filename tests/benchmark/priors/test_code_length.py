import math

import pytest
import torch

from benchmark.priors.code_length import LEVELS, Unigram, bits_per_dimension, fit_scale, pixel_nats


@pytest.mark.parametrize("scale", [1e-4, 3e-3, 0.05, 1.0])
def test_the_256_grey_levels_sum_to_one(scale: float) -> None:
    levels = torch.arange(LEVELS)
    for mean in (-1.2, -1.0, -0.3333, 0.0, 0.7, 1.0, 1.5):
        total = (-pixel_nats(torch.full((LEVELS,), mean), levels, scale)).exp().sum()
        assert float(total) == pytest.approx(1, abs=1e-10)


def test_a_level_has_the_mass_of_the_logistic_within_half_a_step() -> None:
    mean, scale, level = 0.1, 0.2, 150
    at = level / 127.5 - 1
    inside = [1 / (1 + math.exp(-(at + half - mean) / scale)) for half in (1 / 255, -1 / 255)]
    found = pixel_nats(torch.tensor([mean], dtype=torch.float64), torch.tensor([level]), scale)
    assert float(found) == pytest.approx(-math.log(inside[0] - inside[1]), rel=1e-9)
    far = pixel_nats(torch.tensor([-1.0]), torch.tensor([200]), 1e-4)
    assert bool(far.isfinite())


def test_the_scale_of_planted_noise_is_found_and_no_other_is_shorter() -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(20_000, generator=generator, dtype=torch.float64)
    means = torch.zeros(20_000)
    levels = ((0.05 * torch.logit(uniform) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    scale = fit_scale(means, levels)
    assert scale == pytest.approx(0.05, rel=0.03)
    best = pixel_nats(means, levels, scale).mean()
    assert all(pixel_nats(means, levels, scale * factor).mean() > best for factor in (0.9, 1.1))


def test_the_nll_of_the_unigram_is_the_entropy_of_its_histogram() -> None:
    index = torch.randint(0, 50, (40, 7, 7), generator=torch.Generator().manual_seed(0)) ** 2 % 61
    unigram = Unigram(index, (61,))
    _, counts = index.unique(return_counts=True)
    shares = counts.double() / counts.sum()
    assert float(unigram.nats(index).mean()) == pytest.approx(float(-(shares * shares.log()).sum()), abs=1e-6)
    drawn = unigram.sample((3, 4), torch.Generator().manual_seed(0))
    assert drawn.shape == (3, 4)
    assert bool((unigram.frequencies[0][drawn] > 0).all())


def test_bits_per_dimension_of_known_parts() -> None:
    codes = torch.full((5, 4), math.log(8))
    pixels = torch.full((5, 1, 6, 6), math.log(4), dtype=torch.float64)
    assert bits_per_dimension(codes, pixels) == pytest.approx((4 * 3 + 36 * 2) / 36)
    assert bits_per_dimension(codes, pixels, math.log(2)) == pytest.approx((1 + 4 * 3 + 36 * 2) / 36)
