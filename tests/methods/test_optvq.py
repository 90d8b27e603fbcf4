"""OptVQ: balanced codes in training, nearest codes in eval, loss on both sides."""

import pytest
import torch

from methods import create
from methods.contract import check_quantizer

K, D = 32, 4


def build(**params):
    torch.manual_seed(0)
    return create("optvq", K, D, **params)


@pytest.mark.parametrize("params", [{"init": "kmeans", "iterations": 1}, {"iterations": 0, "codebook_weight": 1.0}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("optvq", params=params) if not result.passed] == []


def test_training_codes_are_balanced_and_eval_codes_nearest() -> None:
    quantizer, latents = build(), 0.2 * torch.randn(8, 16, D)
    codewords = quantizer.codewords()[0].detach()
    nearest = (latents[..., None, :] - codewords).square().sum(-1).argmin(-1, keepdim=True)
    assert torch.equal(quantizer.eval()(latents).codes, nearest)
    balanced = quantizer.train()(latents).codes
    assert torch.equal(balanced, quantizer.balanced_codes(latents))
    assert balanced.unique().numel() > 2 * nearest.unique().numel()


def test_loss_weighs_both_sides_on_the_assigned_codeword() -> None:
    quantizer, latents = build(beta=0.5, codebook_weight=0.1), torch.randn(40, D, requires_grad=True)
    result = quantizer(latents)
    codeword = quantizer.codewords()[0].detach()[result.codes.squeeze(-1)]
    error = codeword - latents.detach()
    torch.testing.assert_close(result.loss.detach(), 0.6 * error.square().mean())
    result.loss.backward()
    torch.testing.assert_close(latents.grad, -0.5 * 2 * error / error.numel())
    torch.testing.assert_close(quantizer.map.bias.grad, 0.1 * 2 * error.sum(0) / error.numel())


def test_a_step_rescues_codewords_that_no_latent_is_nearest_to() -> None:
    latents = torch.randn(512, D)
    usage = {}
    for iterations in (0, 5):
        quantizer = build(iterations=iterations)
        with torch.no_grad():
            quantizer.codebook[4:] += 20
        optimiser = torch.optim.Adam(quantizer.parameters(), 0.1)
        for _ in range(150):
            optimiser.zero_grad()
            quantizer(latents).loss.backward()
            optimiser.step()
        usage[iterations] = quantizer.encode(latents).unique().numel()
    assert usage[0] <= 4
    assert usage[5] > 24
