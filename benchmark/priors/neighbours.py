"""Nearest neighbours: precision, recall, density and coverage of features, and the nearest training image."""

from typing import NamedTuple

import torch
from torch import Tensor

NEIGHBOURS = 5
"""As Naeem et al. have it."""
_ROWS = 500
"""Of a matrix of distances that are there at once."""


class Manifolds(NamedTuple):
    """Shares of samples or of real items, but for ``density``, whose expectation is 1 where both are alike."""

    precision: float
    recall: float
    density: float
    coverage: float


def manifolds(real: Tensor, radii_real: Tensor, samples: Tensor, k: int = NEIGHBOURS) -> Manifolds:
    """Of features ``[N, F]`` and ``[M, F]``, by the balls around items that reach their ``k``-th neighbour.

    ``radii_real [N]``: `radii` of the real ones, which many samples may be held against.

    Naeem et al., Reliable fidelity and diversity metrics for generative models, ICML 2020 (arXiv 2002.09797), equations
    1 to 5: written here after their formulas, as their package `prdc` computes them.
    """
    assert min(len(real), len(samples)) > k, "each item needs so many neighbours"
    radii_samples = radii(samples, k)
    balls = torch.zeros(len(samples), dtype=torch.int64, device=real.device)
    recalled, covered = 0, 0
    for rows, reach in zip(real.split(_ROWS), radii_real.split(_ROWS), strict=True):
        distances = torch.cdist(rows, samples)
        inside = distances < reach[:, None]
        balls += inside.sum(0)
        covered += int(inside.any(1).sum())
        recalled += int((distances < radii_samples).any(1).sum())
    return Manifolds(
        float((balls > 0).double().mean()),
        recalled / len(real),
        float(balls.double().mean()) / k,
        covered / len(real),
    )


def radii(features: Tensor, k: int = NEIGHBOURS) -> Tensor:
    """Distance of each item to its ``k``-th neighbour, itself not counted."""
    found = [torch.cdist(rows, features).kthvalue(k + 1, dim=1).values for rows in features.split(_ROWS)]
    return torch.cat(found)


def nearest(items: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Root mean squared difference a value, and the index, of the image nearest to each of ``items`` in [-1, 1].

    Args:
        items: uint8 ``[N, ...]``, few of them.
        among: uint8 ``[M, ...]``, many.
    """
    flat = _values(items)
    best = torch.full((len(items),), torch.inf, device=items.device)
    where = torch.zeros(len(items), dtype=torch.int64, device=items.device)
    begin = 0
    for rows in among.split(_ROWS * 4):
        distances, found = torch.cdist(flat, _values(rows.to(items.device))).min(1)
        where = torch.where(distances < best, begin + found, where)
        best = torch.minimum(distances, best)
        begin += len(rows)
    return best / flat.shape[1] ** 0.5, where


def _values(images: Tensor) -> Tensor:
    return images.flatten(1).float() / 127.5 - 1
