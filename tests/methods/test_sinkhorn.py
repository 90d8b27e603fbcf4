"""Sinkhorn plan: against a dense float64 computation, scipy's linear assignment, and its marginals."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import methods.sinkhorn as sinkhorn
from methods.sinkhorn import SinkhornPlan


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
    monkeypatch.setattr("methods.recompute._CHUNK_ELEMENTS", 40)
    monkeypatch.setattr(sinkhorn, "_KEPT_ELEMENTS", kept)
    chunked = SinkhornPlan(latents, codewords, epsilon=10.0, iterations=5)
    torch.testing.assert_close(chunked.log_v, whole.log_v)
    assert torch.equal(chunked.codes(), whole.codes())


def test_equal_distances_give_finite_equal_shares() -> None:
    plan = SinkhornPlan(torch.ones(6, 2), torch.ones(3, 2), epsilon=10.0, iterations=5)
    torch.testing.assert_close(plan.shares(), torch.full((6, 3), 1 / 3))
