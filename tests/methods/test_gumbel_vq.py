"""Gumbel-softmax VQ: what is drawn, the divergence at its extremes, the schedules, eval mode without noise."""

import math

import pytest
import torch
from torch.nn.functional import softmax

from methods import UsageError, create

K, D = 6, 3


def build(**params):
    torch.manual_seed(0)
    return create("gumbel_vq", K, D, **params)


def draw(*shape, seed=1) -> torch.Tensor:
    return torch.randn(*shape, D, generator=torch.Generator().manual_seed(seed))


def set_logits(quantizer, logits: torch.Tensor) -> None:
    """The same logits whatever the latent."""
    with torch.no_grad():
        quantizer.logits.weight.zero_()
        quantizer.logits.bias.copy_(logits)


def test_eval_takes_the_largest_logit_and_draws_nothing():
    quantizer, latents = build().eval(), draw(40)
    expected = (latents @ quantizer.logits.weight.T + quantizer.logits.bias).argmax(1)
    before = torch.get_rng_state()
    for _ in range(2):
        result = quantizer(latents)
        assert torch.equal(result.codes.squeeze(-1), expected)
        assert torch.equal(result.latents, quantizer.codebook[expected])
        assert float(result.loss) == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_codes_are_drawn_from_the_softmax_of_the_logits():
    quantizer, count = build(), 60_000
    logits = torch.linspace(-1, 1.5, K)
    set_logits(quantizer, logits)
    seen = quantizer(draw(count)).codes.flatten().bincount(minlength=K)
    expected = count * softmax(logits.double(), 0)
    # 99.9 % of the chi-squared distribution with 5 degrees of freedom.
    assert float(((seen - expected) ** 2 / expected).sum()) < 20.5


@pytest.mark.parametrize(
    ("logits", "divergence"),
    [
        ([0.3] * K, 0.0),
        ([60.0, 0, 0, 0, 0, 0], math.log(K)),
        ([math.log(3), math.log(3), 0, 0, 0, 0], math.log(K) - 0.6 * math.log(10 / 3) - 0.4 * math.log(10)),
    ],
)
def test_loss_is_the_divergence_from_uniform(logits, divergence):
    quantizer = build(kl_weight=0.5)
    quantizer.anneal(100, 100)
    set_logits(quantizer, torch.tensor(logits))
    result = quantizer(draw(7))
    assert float(result.log["kl"]) == pytest.approx(divergence, abs=1e-6)
    assert float(result.loss.detach()) == pytest.approx(0.5 * divergence, abs=1e-6)


def test_mixture_is_a_convex_combination_that_closes_on_the_codeword_drawn():
    quantizer = build()
    quantizer.temperature = 1.0
    torch.manual_seed(3)
    warm = quantizer(draw(50))
    assert bool((warm.latents.norm(dim=-1) < quantizer.codebook.norm(dim=1).max()).all())
    quantizer.temperature = 1e-4
    torch.manual_seed(3)
    cold = quantizer(draw(50))
    assert torch.equal(cold.codes, warm.codes)
    chosen = quantizer.codebook.detach()[cold.codes.squeeze(-1)]
    assert float((cold.latents.detach() - chosen).norm(dim=1).median()) < 1e-6
    assert float((warm.latents.detach() - chosen).norm(dim=1).median()) > 0.1


def test_hard_has_the_value_of_the_codeword_and_the_mixtures_gradient():
    gradients = []
    for hard in (True, False):
        quantizer, latents = build(hard=hard), draw(30).requires_grad_()
        torch.manual_seed(3)
        result = quantizer(latents)
        assert torch.equal(result.latents, quantizer.codebook[result.codes.squeeze(-1)]) is hard
        gradients.append(torch.autograd.grad(result.latents, (latents, quantizer.codebook), draw(30, seed=2)))
    assert torch.allclose(gradients[0][0], gradients[1][0], atol=1e-6)
    # With `hard` a codeword's gradient is the sum over the latents that drew it.
    codes = result.codes.squeeze(-1)
    expected = torch.zeros(K, D).index_add_(0, codes, draw(30, seed=2))
    assert torch.allclose(gradients[0][1], expected, atol=1e-6)


def test_schedules():
    quantizer = build(anneal_share=0.5, kl_weight=3.0)
    seen = {}
    for step in (0, 10, 150, 300, 599):
        quantizer.anneal(step, 600)
        seen[step] = (quantizer.temperature, quantizer.kl_weight)
    assert seen[0] == pytest.approx((1.0, 0.0))
    assert seen[10][1] == pytest.approx(3.0)
    assert seen[150][0] == pytest.approx(1 / 16 + 15 / 16 * math.cos(math.pi / 4))
    assert seen[300] == seen[599] == pytest.approx((1 / 16, 3.0))
    quantizer = build(anneal_share=0.0)
    quantizer.anneal(0, 600)
    assert quantizer.temperature == pytest.approx(1 / 16)


def test_too_many_codes_are_refused():
    with pytest.raises(UsageError, match="declared up to 65,536"):
        create("gumbel_vq", 2**17, D)
