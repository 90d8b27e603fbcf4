"""FSQ: sizes, the grid, the bijection of codes, and the gradient in closed form."""

import itertools
import math

import pytest
import torch

from methods import UsageError, create
from methods.fsq import FSQ


@pytest.mark.parametrize(
    ("wanted", "levels", "size"),
    [
        (256, (8, 6, 5), 240),
        (1024, (8, 5, 5, 5), 1000),
        (4096, (7, 5, 5, 5, 5), 4375),
        (16_384, (8, 8, 8, 6, 5), 15_360),
        (65_536, (8, 8, 8, 5, 5, 5), 64_000),
        (262_144, (8, 8, 8, 8, 8, 8), 262_144),
        (512, (8, 8, 8), 512),
        (1000, (8, 5, 5, 5), 1000),
        (7, (7,), 7),
    ],
)
def test_sizes(wanted, levels, size):
    assert FSQ.channel_levels(wanted) == levels
    assert FSQ.resolve_size(wanted) == (size,)


@pytest.mark.parametrize(("wanted", "named"), [(16, "nearest: 8 and 25"), (4, "nearest: 5"), (100, "64 and 125")])
def test_a_size_that_cant_be_had_names_the_nearest(wanted, named):
    with pytest.raises(UsageError, match=named):
        create("fsq", wanted, 8)


@pytest.mark.parametrize("wanted", [1024, 16_384])
def test_codes_and_grid_points_are_one_to_one(wanted):
    quantizer = FSQ(wanted, 8)
    codes = torch.arange(quantizer.codebook_size)
    points = quantizer.look_up(codes)
    assert len(points.unique(dim=0)) == quantizer.codebook_size
    # The squashing undone at the grid points (the outermost lie just beyond its range) gives latents of those codes.
    squashed = (points * quantizer.half_width + quantizer.offset) / quantizer.scale
    inner = torch.atanh(squashed.clamp(-0.9999, 0.9999)) - quantizer.shift
    assert torch.equal(quantizer.assign(inner), codes)


def test_grid_of_a_channel():
    quantizer = FSQ(256, 4)  # levels 8, 6, 5
    points = quantizer.look_up(torch.arange(240))
    assert points[:, 0].unique().tolist() == [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75]
    assert points[:, 1].unique().tolist() == pytest.approx([-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3])
    assert points[:, 2].unique().tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    # Code 8·6·4 + 8·2 + 5: digits 5, 2, 4 from the first channel on.
    assert points[213].tolist() == pytest.approx([(5 - 4) / 4, (2 - 3) / 3, (4 - 2) / 2])


def test_extremes_reach_the_outer_levels_and_no_further():
    quantizer = FSQ(256, 4)
    inner = torch.tensor([[-1e4] * 3, [1e4] * 3, [0.0] * 3])
    assert quantizer.assign(inner).tolist() == [0, 239, 4 + 8 * 3 + 48 * 2]
    assert quantizer.bound(inner)[2].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_codes_agree_with_float64_arithmetic():
    quantizer = FSQ(16_384, 4)
    inner = 2 * torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(2000, dtype=torch.int64)
    for channel, level in enumerate((8, 8, 8, 6, 5)):
        half = (level - 1) * 0.999 / 2
        offset = 0.5 * (level % 2 == 0)
        digit = (torch.tanh(inner[:, channel].double() + math.atanh(offset / half)) * half - offset).round()
        expected += (digit.long() + level // 2) * math.prod((8, 8, 8, 6, 5)[:channel])
    assert torch.equal(quantizer.assign(inner), expected)


def test_gradient_is_that_of_the_squashing_over_the_half_width():
    quantizer = FSQ(1024, 4)
    inner = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        quantizer.project_in.weight.copy_(torch.eye(4))
        quantizer.project_out.weight.copy_(torch.eye(4))
        quantizer.project_in.bias.zero_()
        quantizer.project_out.bias.zero_()
    latents = inner.clone().requires_grad_()
    result = quantizer.train()(latents)
    result.latents.sum().backward()
    expected = torch.empty_like(inner)
    for channel, level in enumerate((8, 5, 5, 5)):
        half = (level - 1) * 0.999 / 2
        shift = math.atanh(0.5 / half) if level % 2 == 0 else 0.0
        expected[:, channel] = half / (level // 2) / torch.cosh(inner[:, channel] + shift) ** 2
    assert torch.allclose(latents.grad, expected, atol=1e-5)
    assert torch.allclose(result.latents, quantizer.look_up(result.codes.squeeze(-1)), atol=1e-6)
    assert float(result.loss) == 0


def test_every_code_can_be_reached():
    quantizer = FSQ(256, 4)
    grid = torch.tensor(list(itertools.product(torch.linspace(-4, 4, 33).tolist(), repeat=3)))
    assert len(quantizer.assign(grid).unique()) == 240


def test_large_codebook_has_no_list_of_codewords():
    assert create("fsq", 2**20, 4).codewords() is None
    (codewords,) = create("fsq", 1024, 4).codewords()
    assert codewords.shape == (1000, 4)
