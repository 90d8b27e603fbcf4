"""Precision, recall, density and coverage by hand on a line, and the nearest training image."""

import pytest
import torch

from benchmark.priors.neighbours import manifolds, nearest, radii


def test_shares_by_hand_on_a_line() -> None:
    real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    samples = torch.tensor([[0.5], [1.5], [30.0]])
    # With k = 1 the balls of the real items reach 1, 1, 1 and 8; those of the samples 1, 1 and 28.5.
    found = manifolds(real, radii(real, k=1), samples, k=1)
    # 0.5 is in the balls of 0 and 1, 1.5 in those of 1 and 2, 30 in none.
    assert found.precision == pytest.approx(2 / 3)
    assert found.density == pytest.approx(4 / 3)
    # 0, 1 and 2 have a sample in their ball; 10 has none within 8.
    assert found.coverage == pytest.approx(3 / 4)
    # 0, 1 and 2 lie within 1 of a sample; 10 within 28.5 of 30.
    assert found.recall == pytest.approx(1.0)


def test_of_the_same_law_density_and_coverage_are_what_the_paper_says() -> None:
    generator = torch.Generator().manual_seed(0)
    real, samples = (torch.randn(1500, 8, generator=generator) for _ in range(2))
    found = manifolds(real, radii(real), samples)
    assert found.density == pytest.approx(1.0, abs=0.06)
    assert found.coverage == pytest.approx(1 - 2.0**-5, abs=0.02)  # equation 9, for as many of both
    assert manifolds(real, radii(real), samples + 20).coverage == 0.0


def test_the_nearest_image_is_found_across_chunks() -> None:
    generator = torch.Generator().manual_seed(0)
    among = torch.randint(0, 256, (4500, 1, 3, 3), dtype=torch.uint8, generator=generator)
    items = among[[4499, 7]].clone()
    items[1, 0, 0, 0] = items[1, 0, 0, 0] ^ 1  # one grey level of nine away
    distances, where = nearest(items, among)
    assert where.tolist() == [4499, 7]
    assert distances[0] == pytest.approx(0.0, abs=1e-3)
    assert distances[1] == pytest.approx((1 / 127.5) / 3, rel=0.05)
