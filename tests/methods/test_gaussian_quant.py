"""Gaussian Quant: the divergence in bits, the weights that hold it there, the likeliest codeword."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from methods import create

K, D = 64, 3


def bare(**params):
    """Without projections: the latents are means and log-variances."""
    torch.manual_seed(0)
    quantizer = create("gaussian_quant", K, 2 * D, code_dim=D, **params)
    quantizer.project_in, quantizer.project_out = nn.Identity(), nn.Identity()
    return quantizer


def latents_of(mean: float, std: float, count: int = 4) -> torch.Tensor:
    return torch.cat([torch.full((count, D), mean), torch.full((count, D), 2 * math.log(std))], 1)


def test_the_loss_is_the_divergence_in_bits() -> None:
    quantizer, latents = bare(kl_weight=0.5).train(), latents_of(1.5, 0.4)
    result = quantizer(latents)
    nats = D * kl_divergence(Normal(1.5, 0.4), Normal(0.0, 1.0))
    assert result.log["divergence"].item() == pytest.approx(nats.item() / math.log(2), rel=1e-4)
    assert result.loss.item() == pytest.approx(0.5 * nats.item() / math.log(2), rel=1e-4)
    assert result.codes.unique().tolist() == [-1]


def test_training_draws_from_the_gaussian_of_each_latent() -> None:
    drawn = bare().train()(latents_of(2.0, 0.1, 5000)).latents
    torch.testing.assert_close(drawn.mean(0), torch.full((D,), 2.0), atol=0.01, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.full((D,), 0.1), atol=0.01, rtol=0)


@pytest.mark.parametrize(("mean", "weights"), [(9.0, (1.01, 1.01, 1.0)), (0.0, (1 / 1.01, 1.0, 1 / 1.01))])
def test_weights_follow_the_divergence(mean: float, weights: tuple[float, ...]) -> None:
    quantizer = bare().train()
    quantizer(latents_of(mean, 1.0))
    found = [quantizer.weight.item(), quantizer.weight_above.item(), quantizer.weight_below.item()]
    assert found == pytest.approx(weights)


def test_latents_beyond_the_tolerance_have_weights_of_their_own() -> None:
    quantizer = bare(kl_weight=1.0).train()
    for name, value in (("weight", 2.0), ("weight_above", 3.0), ("weight_below", 0.5)):
        getattr(quantizer, name).fill_(value)
    near = math.sqrt(2 * 6 * math.log(2) / D)  # 6 bits at a variance of 1
    latents = torch.cat([latents_of(mean, 1.0, 1) for mean in (2 * near, near, near / 2)])
    assert quantizer(latents).loss.item() == pytest.approx(2 * (3 * 24 + 6 + 0.5 * 1.5) / 3, rel=1e-3)


def test_training_holds_the_divergence_at_the_bits_of_a_code() -> None:
    quantizer = bare(kl_weight=0.01, factor=1.05).train()
    latents = nn.Parameter(latents_of(0.3, 0.9, 200))
    target = 3 * torch.randn(200, D, generator=torch.Generator().manual_seed(3))
    optimizer = torch.optim.Adam([latents], 0.03)
    for _ in range(250):
        result = quantizer(latents)
        optimizer.zero_grad()
        ((result.latents - target).square().mean() + result.loss).backward()
        optimizer.step()
    assert result.log["divergence"].item() == pytest.approx(6, abs=1)


def test_eval_takes_the_likeliest_codeword() -> None:
    quantizer = bare(prior_weight=0.5).eval()
    latents = torch.randn(50, 2 * D, generator=torch.Generator().manual_seed(2))
    mean, std = latents[:, None, :D], (0.5 * latents[:, None, D:]).exp()
    scores = Normal(mean, std).log_prob(quantizer.codebook) - 0.5 * Normal(0.0, 1.0).log_prob(quantizer.codebook)
    result = quantizer(latents)
    assert torch.equal(result.codes[:, 0], scores.sum(2).argmax(1))
    assert torch.equal(result.latents, quantizer.codebook[result.codes[:, 0]])
