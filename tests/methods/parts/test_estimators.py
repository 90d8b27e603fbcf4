"""Straight-through and scaled gradients: the value of one, the gradient of another."""

import torch

from methods.parts.estimators import scale_gradient, straight_through


def test_straight_through_has_the_value_of_the_quantized_and_the_gradient_of_the_latents():
    latents, quantized = torch.randn(6, 3, requires_grad=True), torch.randn(6, 3, requires_grad=True)
    output, direction = straight_through(latents, quantized), torch.randn(6, 3)
    torch.testing.assert_close(output, quantized, rtol=1e-5, atol=1e-6)
    output.backward(direction)
    assert torch.equal(latents.grad, direction)
    assert quantized.grad is None


def test_straight_through_rounds_which_is_why_eval_returns_the_quantized():
    latents, quantized = torch.full((1000,), 10.0) + torch.rand(1000), 1e-3 * torch.rand(1000)
    error = (straight_through(latents, quantized) - quantized).abs().max().item()
    assert 1e-8 < error < 2e-6  # about one unit in the last place of the latents


def test_scaled_gradient_keeps_the_value_bit_for_bit():
    tensor = torch.randn(6, 3, requires_grad=True)
    output, direction = scale_gradient(tensor, 0.25), torch.randn(6, 3)
    assert torch.equal(output, tensor)
    output.backward(direction)
    assert torch.equal(tensor.grad, 0.25 * direction)
