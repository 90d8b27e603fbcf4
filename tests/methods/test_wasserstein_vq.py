"""Wasserstein-VQ: the queue followed by hand, the loss taken apart, and what the distance moves."""

import pytest
import torch
from torch.nn.functional import mse_loss

from methods import create
from methods.contract import check_quantizer
from methods.gaussian_wasserstein import gaussian_wasserstein, moments

K, D = 32, 4


def build(**params):
    torch.manual_seed(0)
    return create("wasserstein_vq", K, D, **params)


@pytest.mark.parametrize(
    "params",
    [
        {"queue_size": 100, "gamma": 2.0},
        {"queue_size": 0, "normalise": False, "codebook_weight": 0.5, "init": "normal"},
        {"init": "unit_uniform"},
    ],
)
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("wasserstein_vq", params=params) if not result.passed] == []


def test_queue_holds_the_latest_rows_whatever_the_batch() -> None:
    quantizer = build(queue_size=10)
    rows = torch.arange(26.0)[:, None].expand(26, D)
    for first, last in ((0, 4), (4, 11), (11, 12)):
        quantizer(rows[first:last])
    assert sorted(quantizer.queue[:, 0].tolist()) == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert quantizer.position == 2
    quantizer(rows[12:26])
    assert sorted(quantizer.queue[:, 0].tolist()) == list(range(16, 26))
    quantizer.eval()(rows)
    assert sorted(quantizer.queue[:, 0].tolist()) == list(range(16, 26))


def test_loss_is_vq_loss_plus_weighted_distance_and_moves_the_codebook_only() -> None:
    quantizer, latents = build(gamma=3.0, beta=0.5), torch.randn(200, D, requires_grad=True)
    result = quantizer(latents)
    codeword = quantizer.codebook[result.codes.squeeze(-1)]
    expected = 1.5 * mse_loss(codeword, latents) + 3 * quantizer.distance()
    torch.testing.assert_close(result.loss, expected)
    (gradient,) = torch.autograd.grad(result.loss, latents)
    torch.testing.assert_close(gradient, 0.5 * 2 * (latents - codeword).detach() / latents.numel())


def test_without_a_queue_the_batch_is_matched_as_it_is() -> None:
    quantizer, latents = (
        build(queue_size=0, normalise=False, codebook_weight=0.5, beta=0.0, gamma=2.0),
        3 + torch.randn(99, D),
    )
    codeword = quantizer.decode(quantizer.encode(latents))
    distance = gaussian_wasserstein(*moments(latents), *moments(quantizer.codebook))
    result = quantizer(latents)
    torch.testing.assert_close(result.loss, 0.5 * mse_loss(codeword, latents) + 2 * distance)
    torch.testing.assert_close(quantizer.eval()(latents).log["wasserstein"], distance.detach())


def test_distance_ignores_a_common_scale() -> None:
    quantizer = build(queue_size=500)
    with torch.no_grad():
        quantizer.queue.normal_(mean=0.3)
        quantizer.codebook.normal_(std=2)
        before = quantizer.distance()
        quantizer.queue *= 7
        quantizer.codebook *= 7
        torch.testing.assert_close(quantizer.distance(), before, atol=1e-4, rtol=0)


def test_codebook_takes_on_the_moments_of_the_latents() -> None:
    quantizer = build(gamma=1.0, queue_size=2000)
    stretch = torch.tensor([[2.0, 0, 0, 0], [1.0, 1, 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 1.0]])
    latents = torch.randn(2000, D) @ stretch + 5
    quantizer._enqueue(latents)
    optimiser = torch.optim.Adam(quantizer.parameters(), 0.05)
    for _ in range(400):
        optimiser.zero_grad()
        quantizer.distance().backward()
        optimiser.step()
    codebook = quantizer.codebook.detach()
    torch.testing.assert_close(codebook.mean(0), latents.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(codebook.T.cov(), latents.T.cov(), atol=0.2, rtol=0)


def test_equal_latents_give_moderate_gradients() -> None:
    quantizer = build(queue_size=50)
    quantizer(torch.ones(60, D)).loss.backward()
    assert quantizer.codebook.grad.abs().max() < 1e3
