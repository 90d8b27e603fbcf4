"""Residual FSQ: by hand, its finer grids, dropped levels, sizes."""

import pytest
import torch
from torch import nn

from methods import UsageError, create


def bare(codebook_size: int = 30**2, depth: int = 2):
    """Without projections: the latents are the channels."""
    quantizer = create("residual_fsq", codebook_size, 2, depth=depth)
    quantizer.project_in = nn.Identity()
    quantizer.project_out = nn.Identity()
    return quantizer


def test_by_hand() -> None:
    """Channels of 6 and 5 levels: points 0.4 and 0.5 apart, then a sixth and a fifth of it."""
    quantizer = bare().eval()
    assert quantizer.levels.tolist() == [6, 5]
    latents = torch.tensor([[0.1, -0.6]])
    squashed = torch.tanh(latents / torch.tensor([1.2, 1.25])) * torch.tensor([1.2, 1.25])  # 0.0998, -0.558
    result = quantizer(latents)
    # First level: 0.2 is nearest to 0.0998, with digit 3, and -0.5 to -0.558, with digit 1; left over -0.1002, -0.058.
    # Second: -0.601 and -0.288 of what is stretched: -0.6 with digit 1 and -0.5 with digit 1.
    assert result.codes.tolist() == [[3 + 6 * 1, 1 + 6 * 1]]
    expected = torch.tensor([[0.2 - 0.6 / 6, -0.5 - 0.5 / 5]])
    torch.testing.assert_close(result.latents, expected)
    assert (expected - squashed).abs().max() < 0.05


def test_more_levels_come_closer_to_the_squashed_latents() -> None:
    latents = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    errors = []
    for depth in (1, 2, 3):
        quantizer = bare(30**depth, depth).eval()
        squashed = torch.tanh(latents / quantizer.clamp) * quantizer.clamp
        inside = squashed.abs().amax(1) < 1
        errors.append((quantizer(latents).latents - squashed)[inside].abs().max().item())
    assert errors[0] <= 0.25 + 1e-6
    assert errors[1] < 0.3 * errors[0]
    assert errors[2] < 0.3 * errors[1]


def test_a_dropped_level_adds_nothing() -> None:
    quantizer = bare().eval()
    codes = torch.tensor([[9, 7], [9, -1]])
    decoded = quantizer.decode(codes)
    torch.testing.assert_close(decoded, torch.tensor([[0.1, -0.6], [0.2, -0.5]]))


def test_sizes() -> None:
    assert create("residual_fsq", 1024**2, 8).level_sizes == (1000, 1000)
    with pytest.raises(UsageError, match="`residual_fsq` needs 2 levels of one size, which 512 is no power of"):
        create("residual_fsq", 512, 8)
