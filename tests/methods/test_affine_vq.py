"""AffineVQ: the map, the synchronised gradient, the inner optimiser and replacement, against closed forms."""

import pytest
import torch
from torch.nn.functional import mse_loss

from methods import UsageError, create
from methods.contract import check_quantizer

K, D, N = 12, 4, 40


def build(**params):
    torch.manual_seed(0)
    return create("affine_vq", K, D, init="normal", **params)


def bend(quantizer) -> None:
    """Move the map away from the identity."""
    with torch.no_grad():
        quantizer.scale.normal_(std=0.1)
        quantizer.bias.normal_(std=0.1)


@pytest.mark.parametrize(
    "params", [{"affine_groups": 4}, {"affine_lr": 0.0, "sync_nu": 0.0}, {"alternate": True, "beta": 1.0}]
)
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("affine_vq", params=params) if not result.passed] == []


def test_map_is_the_identity_at_the_start_and_lambda_scales_it() -> None:
    quantizer = build(affine_lr=10.0)
    assert torch.equal(quantizer.codewords()[0], quantizer.codebook)
    with torch.no_grad():
        quantizer.scale.fill_(0.2)
        quantizer.bias.fill_(-0.1)
    torch.testing.assert_close(quantizer.codewords()[0], 3 * quantizer.codebook - 1)


def test_a_group_moves_only_its_block() -> None:
    quantizer = build(affine_groups=3)
    with torch.no_grad():
        quantizer.bias[1] = 5.0
    moved = (quantizer.codewords()[0] != quantizer.codebook).all(1)
    assert moved.tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_loss_and_gradients_of_both_sides() -> None:
    quantizer = build(alpha=3.0, beta=0.75, sync_nu=0.0, affine_lr=0.0)
    latents = torch.randn(N, D, requires_grad=True)
    result = quantizer(latents)
    result.loss.backward()
    codes, codebook = result.codes.squeeze(-1), quantizer.codebook.detach()
    error = codebook[codes] - latents.detach()
    torch.testing.assert_close(result.loss.detach(), 3 * error.square().mean())
    torch.testing.assert_close(latents.grad, -3 * 0.25 * 2 * error / (N * D))
    expected = torch.zeros(K, D).index_add_(0, codes, 3 * 0.75 * 2 * error / (N * D))
    torch.testing.assert_close(quantizer.codebook.grad, expected)


def test_synchronised_commitment_gives_the_codeword_nu_times_the_gradient() -> None:
    quantizer = build(sync_nu=0.5, affine_lr=0.0)
    latents, gradient = torch.randn(N, D, requires_grad=True), torch.randn(N, D)
    result = quantizer(latents)
    torch.testing.assert_close(result.latents, quantizer.codebook[result.codes.squeeze(-1)])
    (result.latents * gradient).sum().backward()
    assert torch.equal(latents.grad, gradient)
    expected = torch.zeros(K, D).index_add_(0, result.codes.squeeze(-1), 0.5 * gradient)
    torch.testing.assert_close(quantizer.codebook.grad, expected)


def test_map_gradient_is_lambda_times_the_sum_over_its_group() -> None:
    quantizer = build(alpha=1.0, beta=1.0, sync_nu=0.0, affine_lr=2.0)
    latents = torch.randn(N, D)
    result = quantizer(latents)
    result.loss.backward()
    rows = quantizer.codebook.detach()[result.codes.squeeze(-1)]
    outer = 2 * (rows - latents) / (N * D)
    torch.testing.assert_close(quantizer.bias.grad[0], 2 * outer.sum(0))
    torch.testing.assert_close(quantizer.scale.grad[0], 2 * (outer * rows).sum(0))


def test_inner_optimiser_is_torch_sgd_on_the_squared_error() -> None:
    quantizer = build(alternate=True, beta=1.0, affine_lr=2.0, inner_lr=3.0, replace_after=0)
    bend(quantizer)
    scale, bias = 1 + 2 * quantizer.scale.detach(), 2 * quantizer.bias.detach()
    codebook = quantizer.codebook.clone().requires_grad_()
    reference = torch.optim.SGD([codebook], lr=3.0, momentum=0.9)
    for _ in range(5):
        latents = torch.randn(N, D)
        codes = quantizer.encode(latents).squeeze(-1)
        reference.zero_grad()
        mse_loss((scale * codebook + bias)[codes], latents).backward()
        reference.step()
        result = quantizer(latents)
        torch.testing.assert_close(quantizer.codebook, codebook.detach())
        expected = (scale * codebook.detach() + bias)[codes]
        torch.testing.assert_close(result.latents.detach(), expected)


def test_inner_step_comes_before_the_output_and_lowers_the_error() -> None:
    quantizer = build(alternate=True, beta=1.0, inner_lr=1.0)
    latents = torch.randn(N, D)
    before = mse_loss(quantizer.eval()(latents).latents, latents)
    after = mse_loss(quantizer.train()(latents).latents, latents)
    assert after < before


def test_alternating_with_beta_one_gives_the_encoder_the_decoders_gradient_alone() -> None:
    quantizer = build(alternate=True, beta=1.0, sync_nu=0.0)
    latents = torch.randn(N, D, requires_grad=True)
    result = quantizer(latents)
    (result.latents.sum() + result.loss).backward()
    assert torch.equal(latents.grad, torch.ones(N, D))
    assert all(parameter is not quantizer.codebook for parameter in quantizer.parameters())
    assert {"codebook", "velocity"} <= set(quantizer.state_dict())


def test_a_replaced_codeword_is_on_a_latent_after_the_map() -> None:
    quantizer = build(affine_lr=2.0, affine_groups=2, replace_after=1)
    bend(quantizer)
    quantizer.replacement.noise = 0.0
    latents = torch.randn(N, D)
    used = quantizer(latents).codes.unique()
    quantizer.after_step()
    idle = torch.tensor([code for code in range(K) if code not in used])
    assert len(idle)
    codewords = quantizer.codewords()[0][idle].detach()
    gaps = (codewords[:, None] - latents).norm(dim=2).min(1).values
    assert gaps.max() < 1e-5


def test_groups_must_divide_the_codebook() -> None:
    with pytest.raises(UsageError, match="affine_groups=5 does not divide the codebook size 12"):
        build(affine_groups=5)
