"""NSVQ and DiVeQ: length, value and gradient of the training output, and the replacement of idle codewords."""

import pytest
import torch

from methods import create
from methods.parts.estimators import substitute_error

K, D, N = 16, 5, 60


def build(name: str, **params):
    torch.manual_seed(0)
    quantizer = create(name, K, D, **params)
    with torch.no_grad():
        quantizer.codebook.normal_()
    return quantizer


@pytest.mark.parametrize("name", ["nsvq", "diveq"])
def test_error_has_the_length_of_the_quantizers(name) -> None:
    quantizer, latents = build(name), torch.randn(N, D)
    result = quantizer(latents)
    codeword = quantizer.codebook[result.codes.squeeze(-1)]
    torch.testing.assert_close((result.latents - latents).norm(dim=1), (codeword - latents).norm(dim=1))
    assert result.loss == 0


def test_gradients_follow_the_closed_form() -> None:
    torch.manual_seed(0)
    latents = torch.randn(N, D, dtype=torch.float64, requires_grad=True)
    quantized = torch.randn(N, D, dtype=torch.float64, requires_grad=True)
    direction, gradient = torch.randn(N, D, dtype=torch.float64), torch.randn(N, D, dtype=torch.float64)
    (substitute_error(latents, quantized, direction) * gradient).sum().backward()
    error = (quantized - latents).detach()
    along = (gradient * direction).sum(1, keepdim=True) / direction.norm(dim=1, keepdim=True)
    expected = along * error / error.norm(dim=1, keepdim=True)
    torch.testing.assert_close(quantized.grad, expected)
    torch.testing.assert_close(latents.grad, gradient - expected)


def test_direction_has_no_gradient_even_where_it_depends_on_both() -> None:
    torch.manual_seed(0)
    latents, quantized = torch.randn(N, D), torch.randn(N, D, requires_grad=True)
    substitute_error(latents, quantized, quantized - latents).sum().backward()
    unit = (quantized.detach() - latents) / (quantized.detach() - latents).norm(dim=1, keepdim=True)
    torch.testing.assert_close(quantized.grad, unit * unit.sum(1, keepdim=True))


def test_no_error_gives_the_latents_and_finite_gradients() -> None:
    latents = torch.ones(3, D, requires_grad=True)
    output = substitute_error(latents, torch.ones(3, D), torch.zeros(3, D))
    output.sum().backward()
    assert torch.equal(output, torch.ones(3, D))
    assert torch.equal(latents.grad, torch.ones(3, D))


@pytest.mark.parametrize("name", ["nsvq", "diveq"])
def test_idle_codewords_become_copies_of_codewords_in_use(name) -> None:
    quantizer = build(name, replace_every=3)
    latents = torch.randn(8, D)
    used = quantizer.encode(latents).unique().tolist()
    idle = [code for code in range(K) if code not in used]
    before = quantizer.codebook.detach().clone()
    for _ in range(3):
        assert torch.equal(quantizer.codebook, before)
        quantizer.anneal(0, 100)
        quantizer(latents)
        quantizer.after_step()
    assert torch.equal(quantizer.codebook[used], before[used])
    for code in idle:
        assert (quantizer.codebook[code] - before[used]).abs().amax(1).min() < 1e-7
