"""DimVQ: its penalty in fp64 and by differences, its weights, and SimVQ without it."""

import pytest
import torch

from methods import UsageError, create
from methods.dimvq import correlated_dimensions

K, D = 20, 4


def build(**params):
    torch.manual_seed(0)
    return create("dimvq", K, D, **params).train()


def test_penalty_is_the_mean_square_of_correlations_between_dimensions() -> None:
    rows = torch.randn(K, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    unit = rows / rows.norm(dim=1, keepdim=True)
    pairs = [(unit[:, i] @ unit[:, j]) ** 2 for i in range(D) for j in range(D) if i != j]
    torch.testing.assert_close(correlated_dimensions(rows), sum(pairs) / len(pairs))
    assert torch.autograd.gradcheck(correlated_dimensions, rows)


def test_orthogonal_dimensions_cost_nothing() -> None:
    assert correlated_dimensions(torch.eye(D).repeat(3, 1)) == 0
    assert correlated_dimensions(torch.randn(K, 1)) == 0


def test_loss_in_training_and_in_eval_mode() -> None:
    quantizer, latents = build(penalty=0.5), torch.randn(30, D)
    error = (quantizer.codewords()[0][quantizer.encode(latents)[:, 0]] - latents).square().mean().item()
    correlation = correlated_dimensions(quantizer.codewords()[0]).item()
    assert quantizer(latents).loss.item() == pytest.approx(1.25 * error + 0.5 * correlation, rel=1e-5)
    assert quantizer.eval()(latents).loss.item() == pytest.approx(1.25 * error, rel=1e-5)


def test_without_penalty_it_is_simvq_by_its_weights() -> None:
    plain, latents = build(penalty=0.0, commitment_weight=0.25, codebook_weight=1.0), torch.randn(30, D)
    torch.manual_seed(0)
    simvq = create("simvq", K, D).train()
    for quantizer in (plain, simvq):
        quantizer(latents).loss.backward()
    torch.testing.assert_close(plain.map[0].weight.grad, simvq.map[0].weight.grad)


def test_weights_below_zero_are_refused() -> None:
    with pytest.raises(UsageError, match="penalty must be at least 0, not -1"):
        build(penalty=-1.0)
