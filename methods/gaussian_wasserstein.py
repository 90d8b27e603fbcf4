"""Wasserstein-2 distance between Gaussians that share mean and covariance with two sets of vectors."""

import torch
from torch import Tensor

_TINY_EIGENVALUE = 1e-8
"""Added under the root of each eigenvalue, so that its gradient is finite (as in the authors' code)."""


def moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[D]`` and unbiased covariance ``[D, D]`` of ``rows [N, D]``; zero covariance of a single row."""
    mean = rows.mean(0)
    centred = rows - mean
    return mean, centred.T @ centred / max(rows.shape[0] - 1, 1)


def gaussian_wasserstein(
    first_mean: Tensor, first_covariance: Tensor, second_mean: Tensor, second_covariance: Tensor
) -> Tensor:
    """W2 of N(m1, C1) and N(m2, C2); gradients reach the second Gaussian only.

    sqrt(|m1 - m2|² + tr(C1 + C2 - 2 (C1^½ C2 C1^½)^½)) for means ``[D]`` and covariances ``[D, D]``
    (Dowson and Landau 1982). Not finite input gives a NaN, no error of the eigenvalue routine.
    """
    first_covariance, second_covariance = first_covariance.detach().double(), second_covariance.double()
    root = _square_root(first_covariance)
    eigenvalues = torch.linalg.eigvalsh(_finite(root @ second_covariance @ root))
    overlap = (eigenvalues.clamp(min=0) + _TINY_EIGENVALUE).sqrt().sum()
    means = (first_mean.detach() - second_mean).square().sum()
    covariances = (first_covariance.trace() + second_covariance.trace() - 2 * overlap).relu()
    return (means + covariances + 1e-10).sqrt().to(means.dtype)


def _square_root(covariance: Tensor) -> Tensor:
    eigenvalues, vectors = torch.linalg.eigh(_finite(covariance))
    return (vectors * (eigenvalues.clamp(min=0) + _TINY_EIGENVALUE).sqrt()) @ vectors.T


def _finite(matrix: Tensor) -> Tensor:
    return matrix.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
