"""The rotation estimator: its value, its Jacobian, and what happens where there is no rotation."""

import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from methods import create
from methods.parts.estimators import rotate

D = 5


def draw(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, D, generator=torch.Generator().manual_seed(seed))


def jacobian(latent: torch.Tensor, codeword: torch.Tensor) -> torch.Tensor:
    return torch.autograd.functional.jacobian(lambda z: rotate(z[None], codeword[None])[0], latent)


def test_value_is_the_codeword_bit_for_bit():
    latents, quantized = 10 * draw(40, 3).requires_grad_(), 1e-3 * draw(40, 3, seed=1)
    assert torch.equal(rotate(latents, quantized).detach(), quantized)


@pytest.mark.parametrize("seed", range(5))
def test_jacobian_is_a_scaled_rotation_that_takes_the_latent_to_the_codeword(seed):
    latent, codeword = draw(seed=seed), 3 * draw(seed=seed + 100)
    found, scale = jacobian(latent, codeword), codeword.norm() / latent.norm()
    assert torch.allclose(found.T @ found, scale**2 * torch.eye(D), atol=1e-4 * float(scale) ** 2)
    assert float(torch.det(found / scale)) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(found @ latent, codeword, atol=1e-5)
    # Vectors orthogonal to both are only scaled.
    plane, _ = torch.linalg.qr(torch.stack([latent, codeword], 1))
    other = draw(seed=7) - plane @ (plane.T @ draw(seed=7))
    assert torch.allclose(found @ other, scale * other, atol=1e-4)


def test_known_quarter_turn():
    # From 2 e0 to 3 e1: e0 -> e1, e1 -> -e0, the rest kept, all times 3/2.
    found = jacobian(torch.tensor([2.0, 0, 0]), torch.tensor([0.0, 3, 0]))
    expected = 1.5 * torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert torch.allclose(found, expected, atol=1e-6)


def test_gradient_keeps_its_angle():
    latents, quantized, gradient = draw(60).requires_grad_(), draw(60, seed=1), draw(60, seed=2)
    rotate(latents, quantized).backward(gradient)
    at_latent = cosine_similarity(latents.grad, latents.detach(), dim=-1)
    assert torch.allclose(at_latent, cosine_similarity(gradient, quantized, dim=-1), atol=1e-5)
    scale = quantized.norm(dim=-1) / latents.detach().norm(dim=-1)
    assert torch.allclose(latents.grad.norm(dim=-1), scale * gradient.norm(dim=-1), rtol=1e-5)


def test_a_latent_on_its_codeword_passes_straight_through():
    latent = draw(seed=3)
    assert torch.allclose(jacobian(latent, latent), torch.eye(D), atol=1e-6)


@pytest.mark.parametrize("tilt", [0.0, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2])
def test_antipodes_are_finite_and_keep_lengths(tilt):
    latent = normalize(draw(seed=4), dim=-1)
    codeword = -2 * normalize(latent + tilt * draw(seed=5), dim=-1)
    found = jacobian(latent, codeword)
    assert torch.allclose(found.T @ found, 4 * torch.eye(D), atol=2e-2)
    assert torch.allclose(found @ latent, codeword, atol=1e-2)


def test_latents_of_zero_pass_straight_through():
    assert torch.equal(jacobian(torch.zeros(D), draw(seed=6)), torch.eye(D))


def test_codewords_of_zero_are_finite():
    latents = draw(3).requires_grad_()
    rotate(latents, torch.zeros(3, D)).sum().backward()
    assert torch.equal(latents.grad, torch.zeros(3, D))


def test_the_method_trains_like_the_moving_average_but_for_the_gradient():
    methods = []
    for name in ("rotation_trick", "vq_vae_ema"):
        torch.manual_seed(0)
        methods.append(create(name, 16, D, beta=1.0, decay=0.8))
    latents, direction = draw(8, 4), draw(8, 4, seed=1)
    gradients = []
    for quantizer in methods:
        inputs = latents.clone().requires_grad_()
        result = quantizer(inputs)
        assert float(result.loss.detach()) == pytest.approx(float((latents - result.latents).detach().square().mean()))
        gradients.append(torch.autograd.grad(result.latents, inputs, direction)[0])
    states = [quantizer.state_dict() for quantizer in methods]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert torch.equal(gradients[1], direction)
    assert not torch.allclose(gradients[0], direction, atol=0.1)
    codewords = methods[0].codewords()[0]
    assert torch.equal(methods[0].eval()(latents).latents, codewords[methods[0].encode(latents).squeeze(-1)])
