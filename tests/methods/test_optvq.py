"""OptVQ: balanced codes in training, nearest codes in eval, loss on both sides; its plan against a dense
float64 computation, scipy's linear assignment, and its marginals."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from methods import create, optvq
from methods.contract import check_quantizer
from methods.optvq import SinkhornPlan

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
    latents = torch.randn(128, D)
    usage = {}
    for iterations in (0, 5):
        quantizer = build(iterations=iterations)
        with torch.no_grad():
            quantizer.codebook[4:] += 20
        optimiser = torch.optim.Adam(quantizer.parameters(), 0.1)
        for _ in range(60):
            optimiser.zero_grad()
            quantizer(latents).loss.backward()
            optimiser.step()
        usage[iterations] = quantizer.encode(latents).unique().numel()
    assert usage[0] <= 4
    assert usage[5] > 24


def rows(count: int, dim: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def dense_plan(latents: torch.Tensor, codewords: torch.Tensor, epsilon: float, iterations: int) -> np.ndarray:
    """The plan with every sum written out, in float64 and without guards."""
    cost = cdist(latents.double().numpy(), codewords.double().numpy())
    plan = np.exp(-epsilon * (cost - cost.min()) / cost.std(ddof=1))
    plan /= plan.sum()
    for _ in range(iterations):
        plan /= plan.sum(0, keepdims=True) * plan.shape[1]
        plan /= plan.sum(1, keepdims=True) * plan.shape[0]
    return plan


def test_shares_are_those_of_the_dense_plan() -> None:
    latents, codewords = rows(50, 3, 0), rows(20, 3, 1)
    plan = SinkhornPlan(latents, codewords, epsilon=5.0, iterations=5)
    expected = 50 * dense_plan(latents, codewords, 5.0, 5)
    np.testing.assert_allclose(plan.shares().numpy(), expected, atol=2e-4)
    assert np.array_equal(plan.codes().numpy(), expected.argmax(1))


def test_marginals_of_a_converged_plan_are_uniform() -> None:
    latents, codewords = rows(60, 3, 0), rows(12, 3, 1)
    shares = SinkhornPlan(latents, codewords, epsilon=3.0, iterations=200).shares()
    torch.testing.assert_close(shares.sum(1), torch.ones(60))
    torch.testing.assert_close(shares.sum(0), torch.full((12,), 60 / 12), atol=1e-3, rtol=0)


def test_a_sharp_plan_is_the_optimal_matching() -> None:
    latents, codewords = rows(12, 3, 0), rows(12, 3, 1)
    codes = SinkhornPlan(latents, codewords, epsilon=60.0, iterations=3000).codes().numpy()
    _, expected = linear_sum_assignment(cdist(latents.numpy(), codewords.numpy()))
    assert np.array_equal(codes, expected)
    assert not np.array_equal(codes, cdist(latents.numpy(), codewords.numpy()).argmin(1))


def test_without_iterations_the_code_is_the_nearest() -> None:
    latents, codewords = rows(200, 4, 0), rows(30, 4, 1)
    codes = SinkhornPlan(latents, codewords, epsilon=10.0, iterations=0).codes().numpy()
    assert np.array_equal(codes, cdist(latents.double().numpy(), codewords.double().numpy()).argmin(1))


def test_far_codewords_get_their_share() -> None:
    latents = 0.1 * rows(64, 2, 0)
    codewords = torch.cat([0.1 * rows(4, 2, 1), 2 + 0.1 * rows(12, 2, 2)])
    drawn = [
        SinkhornPlan(latents, codewords, epsilon=3.0, iterations=iterations).shares().sum(0)[4:]
        for iterations in (0, 100)
    ]
    assert drawn[0].max() < 0.05
    torch.testing.assert_close(drawn[1], torch.full((12,), 64 / 16), atol=0.02, rtol=0)


@pytest.mark.parametrize("kept", [0, 1 << 25])
def test_chunks_change_nothing(kept, monkeypatch) -> None:
    latents, codewords = rows(103, 4, 0), rows(17, 4, 1)
    whole = SinkhornPlan(latents, codewords, epsilon=10.0, iterations=5)
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", 40)
    monkeypatch.setattr(optvq, "_KEPT_ELEMENTS", kept)
    chunked = SinkhornPlan(latents, codewords, epsilon=10.0, iterations=5)
    torch.testing.assert_close(chunked.log_v, whole.log_v)
    assert torch.equal(chunked.codes(), whole.codes())


def test_equal_distances_give_finite_equal_shares() -> None:
    plan = SinkhornPlan(torch.ones(6, 2), torch.ones(3, 2), epsilon=10.0, iterations=5)
    torch.testing.assert_close(plan.shares(), torch.full((6, 3), 1 / 3))
