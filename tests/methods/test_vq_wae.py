"""VQ-WAE: its loss position by position, the divergence in closed form, grids of any shape; its transport against
scipy's assignment and linear programme, and the gradients against differences."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.vq_wae import block_logits, transport_cost

K, D = 16, 3


def build(**params):
    torch.manual_seed(0)
    return create("vq_wae", K, D, **params)


@pytest.mark.parametrize("params", [{"init": "kmeans", "position_groups": 1}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("vq_wae", params=params) if not result.passed] == []


def test_loss_is_the_sum_over_positions() -> None:
    quantizer, latents = build(beta=0.3, kl_weight=0.7, position_groups=6), torch.randn(5, 2, 3, D)
    result = quantizer(latents)
    expected = 0.0
    for position, rows in enumerate(latents.reshape(5, 6, D).unbind(1)):
        shares = quantizer.logits[position].softmax(0)
        divergence = (shares * (shares * K).log()).sum() / K
        expected += 0.3 * transport_cost(rows, quantizer.codebook, shares) + 0.7 * divergence
    torch.testing.assert_close(result.loss, expected)


def test_divergence_is_zero_for_uniform_shares_and_known_for_a_point() -> None:
    quantizer, latents = build(position_groups=4), torch.randn(5, 2, D)
    with torch.no_grad():
        quantizer.logits.zero_()
    assert abs(quantizer.transport(latents)[1].item()) < 1e-6
    with torch.no_grad():
        quantizer.logits[:, 3] = 100.0
    torch.testing.assert_close(quantizer.transport(latents)[1].item(), 2 * math.log(K) / K, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("grid", "expected"), [((4,), [0, 1, 2, 3]), ((2,), [0, 2]), ((3,), [0, 1, 2]), ((2, 4), [0, 1, 2, 3]), ((), [0])]
)
def test_positions_use_the_shares_of_their_group(grid, expected) -> None:
    quantizer = build(position_groups=4)
    quantizer(torch.randn(6, *grid, D)).loss.backward()
    assert quantizer.logits.grad.any(1).nonzero().squeeze(1).tolist() == expected


def test_start_of_the_logits() -> None:
    assert block_logits(2, 6).tolist() == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    assert block_logits(4, 2).sum(1).tolist() == [1, 1, 1, 1]
    authors = block_logits(64, 512)
    assert all(authors[i].nonzero().squeeze(1).tolist() == list(range(8 * i, 8 * i + 8)) for i in range(64))


def test_codes_are_nearest_and_evaluation_has_no_loss() -> None:
    quantizer, latents = build(), torch.randn(5, 2, 2, D)
    nearest = (latents[..., None, :] - quantizer.codebook).square().sum(-1).argmin(-1, keepdim=True)
    assert torch.equal(quantizer(latents).codes, nearest)
    result = quantizer.eval()(latents)
    assert torch.equal(result.codes, nearest)
    assert result.loss == 0


def test_transport_brings_far_codewords_to_the_latents() -> None:
    quantizer, latents = build(), 0.2 * torch.randn(64, 1, D)
    with torch.no_grad():
        quantizer.codebook[2:] += 3
    used = quantizer.encode(latents).unique().numel()
    optimiser = torch.optim.Adam(quantizer.parameters(), 0.1)
    for _ in range(80):
        optimiser.zero_grad()
        quantizer(latents).loss.backward()
        optimiser.step()
    assert used <= 2
    assert quantizer.encode(latents).unique().numel() == K


def test_size_is_declared() -> None:
    with pytest.raises(UsageError, match="declared up to 1,024 codes"):
        create("vq_wae", 2048, D)


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
