"""Wasserstein-VQ: the queue followed by hand, the loss taken apart, what the distance moves, and the distance
in closed form and against scipy's matrix root."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch.nn.functional import mse_loss

from methods import create
from methods.contract import check_quantizer
from methods.wasserstein_vq import gaussian_wasserstein, moments

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
    optimiser = torch.optim.Adam(quantizer.parameters(), 0.2)
    for _ in range(100):
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


def random_gaussian(dim: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(dim, dim, generator=generator)
    return torch.randn(dim, generator=generator), factor @ factor.T + 0.1 * torch.eye(dim)


def test_moments_are_numpys() -> None:
    rows = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    mean, covariance = moments(rows)
    np.testing.assert_allclose(mean.numpy(), rows.numpy().mean(0), atol=1e-6)
    np.testing.assert_allclose(covariance.numpy(), np.cov(rows.numpy().T), atol=1e-6)
    assert moments(rows[:1])[1].abs().max() == 0


def test_one_dimension_is_the_distance_of_mean_and_deviation() -> None:
    distance = gaussian_wasserstein(
        torch.tensor([1.0]), torch.tensor([[4.0]]), torch.tensor([4.0]), torch.tensor([[36.0]])
    )
    torch.testing.assert_close(distance.item(), 5.0, atol=1e-5, rtol=0)


def test_equal_covariances_leave_the_distance_of_the_means() -> None:
    mean, covariance = random_gaussian(5, 0)
    distance = gaussian_wasserstein(mean, covariance, mean + torch.tensor([3.0, 0, 4.0, 0, 0]), covariance)
    torch.testing.assert_close(distance.item(), 5.0, atol=1e-5, rtol=0)


def test_zero_for_equal_moments_and_positive_else() -> None:
    mean, covariance = random_gaussian(5, 0)
    assert gaussian_wasserstein(mean, covariance, mean, covariance) < 1e-3
    assert gaussian_wasserstein(mean, covariance, mean, 1.5 * covariance) > 0.1


def test_general_covariances_agree_with_scipy() -> None:
    (mean, covariance), (other_mean, other_covariance) = random_gaussian(6, 0), random_gaussian(6, 1)
    first, second = covariance.double().numpy(), other_covariance.double().numpy()
    root = sqrtm(first)
    squared = ((mean - other_mean) ** 2).sum().item() + np.trace(first + second - 2 * sqrtm(root @ second @ root).real)
    found = gaussian_wasserstein(mean, covariance, other_mean, other_covariance).item()
    np.testing.assert_allclose(found, np.sqrt(squared), rtol=1e-5)


def test_gradient_reaches_the_second_gaussian_only() -> None:
    tensors = [tensor.requires_grad_() for seed in (0, 1) for tensor in random_gaussian(3, seed)]
    gaussian_wasserstein(*tensors).backward()
    assert tensors[0].grad is None
    assert tensors[1].grad is None
    for tensor in tensors[2:]:
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any()


def test_singular_covariances_give_finite_gradients() -> None:
    mean, covariance = torch.zeros(3), torch.zeros(3, 3, requires_grad=True)
    distance = gaussian_wasserstein(mean, torch.zeros(3, 3), mean + 2, covariance)
    distance.backward()
    torch.testing.assert_close(distance.item(), 12**0.5, atol=1e-3, rtol=0)
    assert covariance.grad.isfinite().all()


def test_not_finite_moments_give_a_nan() -> None:
    mean, covariance = random_gaussian(3, 0)
    assert gaussian_wasserstein(mean, covariance, mean, covariance * torch.nan).isnan()
