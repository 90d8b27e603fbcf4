"""The learned lattice: its points, its loss and where it starts."""

import pytest
import torch

from methods import UsageError, create


def lattice(spacing, **params):
    quantizer = create("ll_vq_vae", 512, len(spacing), **params)
    with torch.no_grad():
        quantizer.spacing.copy_(torch.tensor(spacing))
    return quantizer


def test_latents_go_to_the_nearest_multiples():
    quantizer = lattice([2.0, -0.5]).eval()
    latents = torch.tensor([[2.9, 0.6], [-3.1, -0.1], [0.9, 100.2]])
    result = quantizer(latents)
    assert result.codes.tolist() == [[1, -1], [-2, 0], [0, -200]]
    assert result.latents.tolist() == [[2.0, 0.5], [-4.0, 0.0], [0.0, 100.0]]
    assert torch.equal(quantizer.decode(result.codes), result.latents)


def test_loss_and_gradient_of_the_spacings():
    quantizer = lattice([2.0, -0.5], beta=0.25, sparsity=0.1).train()
    latents = torch.tensor([[2.9, 0.6]], requires_grad=True)
    result = quantizer(latents)
    errors = torch.tensor([2.0 - 2.9, 0.5 - 0.6])
    assert result.loss.item() == pytest.approx(float(1.25 * errors.square().mean()) - 0.1 * 2.5, rel=1e-5)
    result.loss.backward()
    expected = errors * torch.tensor([1.0, -1.0]) - 0.1 * torch.tensor([1.0, -1.0])
    torch.testing.assert_close(quantizer.spacing.grad, expected)
    torch.testing.assert_close(latents.grad, -0.25 * errors[None])


def test_start_and_sizes():
    bound = 1 / (512 ** (1 / 64) - 1)
    assert bound == pytest.approx(9.767, abs=1e-3)
    spacing = create("ll_vq_vae", 512, 64).spacing.abs()
    assert bound / 2 < spacing.max() <= bound
    assert create("ll_vq_vae", 512, 64, init="unit_uniform").spacing.abs().max() <= 1
    with pytest.raises(UsageError, match="at least 2"):
        create("ll_vq_vae", 1, 8)


def test_a_spacing_of_zero_and_huge_latents_stay_finite():
    result = lattice([0.0, 1.0]).eval()(torch.tensor([[1e30, float("nan")]]))
    assert result.codes.tolist() == [[2**40, 0]]
    assert result.latents.isfinite().all()
