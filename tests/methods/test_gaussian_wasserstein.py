"""Wasserstein-2 distance of Gaussians against its closed forms and against scipy's matrix root."""

import numpy as np
import torch
from scipy.linalg import sqrtm

from methods.gaussian_wasserstein import gaussian_wasserstein, moments


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
