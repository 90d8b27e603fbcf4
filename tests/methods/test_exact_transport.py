"""Exact transport against scipy's assignment and linear programme, and its gradients against differences."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from methods.exact_transport import transport_cost


def rows(count: int, dim: int, seed: int, **options) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, **options)


def least_cost(costs: np.ndarray, weights: np.ndarray) -> float:
    """The linear programme written out and solved by scipy."""
    size, count = costs.shape
    by_code, by_row = np.kron(np.eye(size), np.ones(count)), np.kron(np.ones(size), np.eye(count))
    limits = np.concatenate([weights, np.full(count, 1 / count)])
    return linprog(costs.ravel(), A_eq=np.vstack([by_code, by_row]), b_eq=limits).fun


def test_as_many_equal_codewords_as_latents_are_matched_one_to_one() -> None:
    latents, codewords = rows(30, 4, 0), rows(30, 4, 1)
    costs = cdist(latents.numpy(), codewords.numpy(), "sqeuclidean")
    matched = costs[linear_sum_assignment(costs)].mean()
    found = transport_cost(latents, codewords, torch.full((30,), 1 / 30, dtype=torch.float64))
    np.testing.assert_allclose(found.item(), matched, rtol=1e-12)


@pytest.mark.parametrize(("count", "size"), [(7, 12), (12, 5), (1, 6), (6, 1)])
def test_any_weights_give_the_optimum_of_the_linear_programme(count, size) -> None:
    latents, codewords = rows(count, 3, 0), rows(size, 3, 1)
    weights = rows(size, 1, 2).squeeze(1).softmax(0)
    expected = least_cost(cdist(codewords.numpy(), latents.numpy(), "sqeuclidean"), weights.numpy())
    np.testing.assert_allclose(transport_cost(latents, codewords, weights).item(), expected, rtol=1e-9)


def test_weights_of_the_nearest_counts_give_the_sum_of_least_distances() -> None:
    latents, codewords = rows(40, 3, 0), rows(8, 3, 1)
    costs = cdist(latents.numpy(), codewords.numpy(), "sqeuclidean")
    weights = torch.from_numpy(np.bincount(costs.argmin(1), minlength=8) / 40)
    np.testing.assert_allclose(transport_cost(latents, codewords, weights).item(), costs.min(1).mean(), rtol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    latents, codewords = rows(9, 3, 0, requires_grad=True), rows(6, 3, 1, requires_grad=True)
    logits = rows(6, 1, 2).squeeze(1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z, e, free: transport_cost(z, e, free.softmax(0)), (latents, codewords, logits), eps=1e-5, atol=1e-7
    )


def test_not_finite_latents_give_a_nan() -> None:
    latents = rows(4, 2, 0)
    latents[0, 0] = torch.nan
    assert transport_cost(latents, rows(3, 2, 1), torch.full((3,), 1 / 3, dtype=torch.float64)).isnan()


def test_fp32_in_fp32_out() -> None:
    latents, codewords = rows(9, 3, 0).float(), rows(6, 3, 1).float()
    found = transport_cost(latents, codewords, torch.full((6,), 1 / 6))
    exact = transport_cost(latents.double(), codewords.double(), torch.full((6,), 1 / 6, dtype=torch.float64))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=0)
