"""FSP: intervals and their middles, noise in training, the squashings' laws and their penalty."""

import math

import pytest
import torch
from torch import nn

from methods import UsageError, create
from methods.fsp import _SQUASHINGS

K, D = 240, 4


def bare(**params):
    """Without projections: the latents are the channels, of 8, 6 and 5 levels."""
    quantizer = create("fsp", K, D, **params)
    quantizer.project_in, quantizer.project_out = nn.Identity(), nn.Identity()
    return quantizer


def test_an_interval_stands_for_its_middle() -> None:
    quantizer = bare(squashing="sigmoid").eval()
    latents = torch.tensor([0.05, 0.51, 0.999]).logit()[None]
    result = quantizer(latents)
    middles = torch.tensor([[0.5 / 8, 3.5 / 6, 4.5 / 5]])
    assert sorted(quantizer.levels.tolist()) == [5, 6, 8]
    torch.testing.assert_close(result.latents, (middles - 0.5) * math.sqrt(12))
    assert result.codes.tolist() == [[0 + 8 * 3 + 48 * 4]]


@pytest.mark.parametrize("squashing", ["tanh", "sigmoid", "normal", "laplace"])
def test_the_ends_of_the_line_have_codes(squashing: str) -> None:
    ends = torch.tensor([[-1e4] * 3, [1e4] * 3, [float("nan")] * 3])
    assert bare(squashing=squashing).encode(ends).flatten().tolist() == [0, K - 1, 0]


def test_in_training_values_move_by_at_most_half_an_interval_and_stay_inside() -> None:
    quantizer = bare().train()
    latents = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    result = quantizer(latents)
    bounded = (latents.detach().tanh() + 1) / 2
    seen = result.latents.detach() / math.sqrt(12) + 0.5
    moved = (seen - bounded).abs() * quantizer.levels
    assert moved.max() <= 0.5 + 1e-5
    assert moved.max() > 0.49
    assert ((seen > 0) & (seen < 1)).all()
    assert torch.equal(result.codes, quantizer.encode(latents)), "codes are those of the latents before the noise"
    result.latents.sum().backward()
    torch.testing.assert_close(latents.grad, math.sqrt(12) / 2 * (1 - latents.detach().tanh().square()))


def test_a_share_of_the_values_is_rounded() -> None:
    quantizer = bare(quantized_share=0.25).train()
    latents = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0))
    rounded = (quantizer(latents).latents - quantizer.decode(quantizer.encode(latents))).abs() < 1e-6
    assert rounded.float().mean().item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("squashing", ["tanh", "sigmoid", "normal", "laplace"])
def test_latents_of_the_squashings_law_become_uniform_and_cost_nothing(squashing: str) -> None:
    uniform = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    latents = {
        "tanh": torch.atanh(2 * uniform - 1),
        "sigmoid": uniform.logit(),
        "normal": torch.special.ndtri(uniform),
        "laplace": -(uniform - 0.5).sign() * torch.log1p(-2 * (uniform - 0.5).abs()),
    }[squashing]
    function, variance = _SQUASHINGS[squashing]
    torch.testing.assert_close(function(latents), uniform)
    assert latents.var().item() == pytest.approx(variance, rel=2e-3)
    rows = latents.float()[:, None].expand(-1, 3)
    assert bare(squashing=squashing, moment_weight=1.0)(rows).loss.item() < 1e-5


def test_the_penalty_by_hand() -> None:
    rows = torch.tensor([[1.0, 0.0, 2.0], [3.0, 0.0, 2.0], [2.0, 3.0, 2.0]])
    means, variances = torch.tensor([2.0, 1.0, 2.0]), torch.tensor([1.0, 3.0, 0.0])
    expected = 0.1 * means.square().mean() + 0.07 * (variances - 1).square().mean()
    loss = bare(squashing="normal", moment_weight=2.0)(rows).loss
    torch.testing.assert_close(loss, 2 * expected)


def test_shares_beyond_one_are_refused() -> None:
    with pytest.raises(UsageError, match="quantized_share must be between 0 and 1, not 2"):
        create("fsp", K, D, quantized_share=2.0)
