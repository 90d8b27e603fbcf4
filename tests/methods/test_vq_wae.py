"""VQ-WAE: its loss position by position, the divergence in closed form, and grids of any shape."""

import math

import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.exact_transport import transport_cost
from methods.vq_wae import block_logits

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
    for _ in range(200):
        optimiser.zero_grad()
        quantizer(latents).loss.backward()
        optimiser.step()
    assert used <= 2
    assert quantizer.encode(latents).unique().numel() == K


def test_size_is_declared() -> None:
    with pytest.raises(UsageError, match="declared up to 1,024 codes"):
        create("vq_wae", 2048, D)
