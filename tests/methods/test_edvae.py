"""EdVAE: the divergence of Dirichlet distributions, draws by their means, its schedules."""

import math

import pytest
import torch
from torch.distributions import Dirichlet, kl_divergence

from methods import UsageError, create
from methods.edvae import flat_divergence

K, D = 6, 3


def build(**params):
    torch.manual_seed(0)
    return create("edvae", K, D, **params).train()


def test_divergence_from_the_flat_distribution() -> None:
    concentrations = 1 + torch.randn(5, K, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).exp()
    expected = kl_divergence(Dirichlet(concentrations), Dirichlet(torch.ones(5, K, dtype=torch.float64)))
    torch.testing.assert_close(flat_divergence(concentrations), expected)
    assert flat_divergence(torch.ones(1, K)).item() == pytest.approx(0, abs=1e-5)


def test_draws_have_the_mean_of_the_dirichlet_distribution() -> None:
    quantizer = build()
    latents = torch.randn(1, D, generator=torch.Generator().manual_seed(2)).expand(20_000, D)
    evidence = quantizer.logits(latents[:1]).detach().exp() + 1
    shares = quantizer(latents).codes.flatten().bincount(minlength=K) / 20_000
    torch.testing.assert_close(shares, (evidence / evidence.sum())[0], atol=0.015, rtol=0)


def test_eval_takes_the_largest_logit() -> None:
    quantizer, latents = build().eval(), torch.randn(9, D)
    assert torch.equal(quantizer(latents).codes[:, 0], quantizer.logits(latents).argmax(1))


def test_schedules() -> None:
    quantizer = build(kl_weight=2.0)
    for step, temperature, weight in (
        (0, 1.0, 0.0),
        (10, math.exp(-0.05), 2 * (1 - math.cos(math.pi / 2))),
        (300, math.exp(-1.5), 2),
    ):
        quantizer.anneal(step, 300)
        assert quantizer.temperature == pytest.approx(temperature)
        assert quantizer.kl_weight == pytest.approx(weight)
    quantizer.anneal(5, 300)
    assert quantizer.kl_weight == pytest.approx(2 * (1 - math.cos(math.pi / 4)))


def test_a_final_temperature_above_the_first_is_refused() -> None:
    with pytest.raises(UsageError, match="final_temperature must be between 1e-06 and 1, not 2"):
        build(final_temperature=2.0)
