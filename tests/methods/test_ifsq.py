"""iFSQ: all levels of a channel alike for normal latents, the ends of the grid, sizes."""

import pytest
import torch
from torch import nn

from methods import UsageError, create
from methods.ifsq import IFSQ


def bare(codebook_size: int):
    """Without projections: the latents are the channels."""
    quantizer = create("ifsq", codebook_size, 8)
    quantizer.project_in = nn.Identity()
    quantizer.project_out = nn.Identity()
    return quantizer


def test_normal_latents_use_the_levels_more_evenly_than_fsq_would() -> None:
    quantizer = bare(17**2)
    inner = torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0))
    digits = quantizer.bound(inner).round()[:, 0].to(torch.int64) + 8
    shares = digits.bincount(minlength=17) / len(digits)
    tanh = (inner.tanh() * 8).round()[:, 0].to(torch.int64) + 8
    others = tanh.bincount(minlength=17) / len(digits)
    inner_levels = slice(1, 16)  # an end has half a level
    assert shares[inner_levels].std() < 0.6 * others[inner_levels].std()


def test_value_and_gradient_by_hand() -> None:
    quantizer = bare(15 * 17).train()
    latents = torch.tensor([[0.0, 40.0], [-40.0, 0.5]], requires_grad=True)
    result = quantizer(latents)
    squashed = 2 / (1 + torch.exp(torch.tensor(-0.8))) - 1
    assert quantizer.levels.tolist() == [17, 15]
    torch.testing.assert_close(
        result.latents.detach(), torch.tensor([[0.0, 1.0], [-1.0, float((squashed * 7).round()) / 7]])
    )
    assert result.codes[:, 0].tolist() == [8 + 17 * 14, 0 + 17 * (7 + int((squashed * 7).round()))]
    result.latents.sum().backward()
    assert latents.grad[0, 0].item() == pytest.approx(0.8), "2 · 1.6 / 4 at zero"


@pytest.mark.parametrize(("wanted", "size"), [(256, 255), (1024, 1001), (16384, 16335), (83521, 83521)])
def test_sizes_are_products_of_odd_levels(wanted, size) -> None:
    assert IFSQ.resolve_size(wanted) == (size,)
    assert all(level % 2 for level in IFSQ.channel_levels(wanted))


def test_a_size_without_product_is_refused() -> None:
    with pytest.raises(
        UsageError, match="`ifsq` has no product of levels from 5 to 17 within 7 % of 3 codes; nearest: 5"
    ):
        IFSQ.resolve_size(3)
