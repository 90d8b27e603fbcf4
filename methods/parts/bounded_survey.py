"""Whether, and in how many directions, the search by a lower bound saves work: guessed from samples of the rows."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from methods.parts.codeword_blocks import BLOCK, Frame

Dense = Callable[[Tensor], Tensor]
"""Rows as they are compared: fp32, contiguous, normalised for the cosine."""

PROJECTED, LOOKED_AT, COMPARED, _ORDERED, _PRODUCT = 20.0, 0.3, 120.0, 200.0, 0.08
"""Cycles of a core, measured: a coordinate of a codeword; one looked at in a block; a distance in full; a codeword in
one level of the ordering; a dimension of a codeword in the search that compares all."""
_PART = 2048
"""Codewords at a time that a sample is compared with, so that they stay in a core's memory."""
_CUT = 3
"""Coordinates by which a sample tells how many blocks are looked at."""


def ordering_cycles(size: int) -> float:
    """Cycles of ordering so many codewords."""
    return _ORDERED * size * math.log2(max(2, size / BLOCK))


def ranks(dim: int) -> list[int]:
    """Directions that make, with the length of the rest, whole vectors, and leave enough to be worth it."""
    return [rank for rank in (7, 15, 31) if 2 * rank < dim]


@dataclass(frozen=True)
class Survey:
    """A sample fp32 of latents, less its ``centre [D]`` and times ``scale``, a power of two; the ``rank`` that pays."""

    sample: Tensor
    centre: Tensor
    scale: float
    covariance: Tensor
    rank: int = 0

    def place(self, rows: Tensor) -> Tensor:
        """Dense ``rows`` less the centre and times the scale, as the sample is."""
        return rows.sub(self.centre).mul_(self.scale)

    @property
    def fills_its_dimensions(self) -> bool:
        """Whether its variance is spread like over at least half of them equally."""
        spread = float(self.covariance.trace())
        return float(self.covariance.square().sum()) * len(self.centre) < 2 * spread * spread

    def frame(self, rank: int) -> Frame:
        """The leading ``rank`` directions."""
        basis = np.concatenate([np.zeros((1, len(self.centre))), _leading(self.covariance.double().numpy(), rank)])
        return Frame(self.centre.double().numpy(), basis, self.scale)


def _leading(covariance: np.ndarray, rank: int) -> np.ndarray:
    """About the ``rank`` leading eigenvectors ``[rank, D]``, orthonormal in fp64, by subspace iteration."""
    start = _start(len(covariance), rank)
    basis = np.linalg.qr(covariance @ (covariance @ start))[0]
    basis = np.linalg.qr(covariance @ basis)[0]
    return np.ascontiguousarray(basis.T)


@cache
def _start(dim: int, rank: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((dim, rank))


def survey(latents: Tensor, dense: Dense) -> Survey | None:
    """A sample of ``latents [N, D]``; None where they are all the same, beyond 1e15 or not finite."""
    sample = dense(latents[:: max(1, latents.shape[0] // max(256, 2 * latents.shape[1]))])
    centre = sample.mean(0)
    sample = sample - centre
    top = float(sample.abs().max())
    if not 1e-15 < top < 1e15:
        return None
    scale = 2.0 ** -math.frexp(top)[1]
    sample *= scale
    return Survey(sample, centre, scale, sample.T @ sample / len(sample))


def rank_that_pays(found: Survey, codewords: Tensor, rows: int, dense: Dense, remembered: bool) -> int:
    """Directions of which a sample of ``codewords [K, D]`` says that they save work for so many latents; 0 for none.

    A function of the rows alone, so that a search does not depend on those before it. In a collapsed codebook a sample
    misses the few codewords that are near to latents, so before it is refused the nearest of all is asked for.
    """
    size, dim = codewords.shape
    if found.fills_its_dimensions:
        return 0
    few = found.sample[:: max(1, len(found.sample) // 32)]
    some = found.place(dense(codewords[:: max(1, size // min(2048, max(512, size // 8)))]))
    least = 0.8 * _PRODUCT * dim * size - ordering_cycles(size) / rows / (4 if remembered else 1)
    rank = _cheapest_rank(found, few, some, _least_squares(few, some), rows, size, least)
    if rank == 0 and rows > 16 * len(few):
        nearest = torch.stack([_least_squares(few, found.place(dense(part))) for part in codewords.split(_PART)]).amin(
            0
        )
        rank = _cheapest_rank(found, few, some, nearest, rows, size, least)
    return rank


def _least_squares(latents: Tensor, codewords: Tensor) -> Tensor:
    """Squared distance of each latent to the nearest codeword, a column; rounded, as guesses may be."""
    products = torch.addmm(codewords.square().sum(1), latents, codewords.T, alpha=-2)
    return products.amin(1).add_(latents.square().sum(1))[:, None]


def _cheapest_rank(
    found: Survey, few: Tensor, some: Tensor, nearest: Tensor, rows: int, size: int, least: float
) -> int:
    """The rank that costs a latent fewer than ``least`` cycles, or 0."""
    best = 0
    for rank in ranks(few.shape[1]):
        cost, promising = _cost(few, some, nearest, found.frame(rank), rows, size)
        if cost < least:
            best, least = rank, cost
        if not promising:
            break
    return best


def _cost(
    latents: Tensor, codewords: Tensor, nearest: Tensor, frame: Frame, rows: int, size: int
) -> tuple[float, bool]:
    """Cycles a latent with these directions, guessed from samples in the frame, and whether more might cost less."""
    basis = torch.from_numpy(frame.basis[1:]).float()
    points, others = latents @ basis.T, codewords @ basis.T
    lengths, other_lengths = latents.square().sum(1), codewords.square().sum(1)
    own, other = points.square().sum(1), others.square().sum(1)
    rest, other_rest = (lengths - own).clamp_(min=0).sqrt_(), (other_lengths - other).clamp_(min=0).sqrt_()
    bounds = torch.addmm(other, points, others.T, alpha=-2).add_((rest[:, None] - other_rest).square_())
    compared = COMPARED * _share(bounds <= nearest - own[:, None])
    # Cells of a k-d tree are cut along few coordinates and wide in all others.
    first, firsts = points[:, :_CUT], others[:, :_CUT]
    in_reach = (
        torch.addmm(firsts.square().sum(1), first, firsts.T, alpha=-2) <= nearest - first.square().sum(1)[:, None]
    )
    coordinates = frame.rank + 1
    looked_at = LOOKED_AT * coordinates * min(1.0, 0.03 + 2 * _share(in_reach))
    projected = PROJECTED * coordinates / rows
    return size * (projected + looked_at + compared), compared > looked_at + projected


def _share(mask: Tensor) -> float:
    return int(torch.count_nonzero(mask)) / mask.numel()
