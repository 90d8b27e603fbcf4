"""Exact search for the nearest codeword that compares few of them in full, where latents hardly fill their dimensions.

With P orthonormal directions r of D and rho the length of what they leave of a vector less some origin,

    |P(z - e)|^2 + (rho_z - rho_e)^2  <=  |z - e|^2,

as the rests of z and e are vectors of lengths rho_z and rho_e. The bound is itself a squared distance in r + 1 coordinates, so
codewords can be ordered there by a k-d tree and cut into blocks; where the box around a block, or the bound of one
codeword, is farther than some codeword known, it is not looked at. Bounds from means and lengths of what is left are those of
fast codebook search: Guan and Kamel, "Equal-average hyperplane partitioning method for vector quantization of image data",
Pattern Recognition Letters 1992 (one fixed direction); Lee and Chen, "Equal-average equal-variance equal-norm nearest
neighbor search", IEE Electronics Letters 1994 (and the length of the rest).

**Rounding.** u = 2^-24. Coordinates are sums of D terms in fp64. The rounding of rho^2 is less than 16 D 2^-53 |x|^2, so that of rho,
a root, is less than 4 (D 2^-53)^(1/2) |x|, which is more than all other coordinates are off by. Kept in fp32, the r + 1
coordinates are off by another u |x| together. A distance of two such points in exact arithmetic is therefore too long by at most
slack (|z| + |e|), slack = 4 (D 2^-53)^(1/2) + 4u, and its square as computed, a sum of r + 1 squares of differences in
fp32, by a factor 1 + (r + 8) u. The kernel widens what it compares with by both, and takes distances in full in fp64
from the rows as they are. So the code is the one with the least distance in fp64, of equal ones the lowest.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.parts.kd_order import kd_order

Dense = Callable[[Tensor], Tensor]

_FEWEST_PAIRS = 1 << 21
"""Latents x codewords below which even looking at a sample would be felt."""
_BLOCK = 64
"""Codewords in a block at most."""
_PROJECTED, _LOOKED_AT, _COMPARED, _ORDERED, _PRODUCT = 20.0, 0.3, 120.0, 200.0, 0.08
"""Cycles of a core, measured: a coordinate of a codeword; one looked at in a block; a distance in full; a codeword in one level
of the ordering; a dimension of a codeword in the search that compares all."""
_CUT = 3
"""Coordinates by which a sample tells how many blocks are looked at."""
_RAISED_FOR = 64
"""Searches after which more directions than a sample asks for are given up again."""


@dataclass(frozen=True)
class Frame:
    """An origin fp64 ``[D]``, a ``basis [r + 1, D]``, orthonormal below a first row of zeros, and a power of two."""

    centre: np.ndarray
    basis: np.ndarray
    scale: float

    @property
    def rank(self) -> int:
        """Directions r."""
        return len(self.basis) - 1


class SearchMemory:
    """What the searches of one codebook leave to the next: a frame, and the order of the codewords.

    Any frame and any order give the same codes: this may be lost, copied, or outlive the codewords.
    """

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._order: np.ndarray | None = None
        self._rank = 0
        self._raised = 0
        self._least, self._debt = math.inf, 0.0

    def frame_and_order(self, codewords: np.ndarray, survey: "Survey") -> tuple[Frame, np.ndarray]:
        """What it holds where that is of codewords ``[K, D]``, else anew."""
        frame, order = self._frame, self._order
        fits = order is not None and frame is not None and order.max() == len(codewords) - 1
        if frame is not None and order is not None and fits and len(frame.centre) == codewords.shape[1]:
            return frame, order
        frame = survey.frame(max(survey.rank, self._rank if self._raised else 0))
        order = kd_order(_rough_points(codewords, frame), _BLOCK)
        self._frame, self._order, self._least, self._debt = frame, order, math.inf, 0.0
        return frame, order

    def learn(self, size: int, blocks: int, compared: int) -> None:
        """Judge by the work of a search whether the next should order anew, or in more directions."""
        assert self._frame is not None
        assert self._order is not None
        coordinates = self._frame.rank + 1
        looked_at = _LOOKED_AT * blocks * self._order.shape[1] * coordinates
        work = looked_at + _COMPARED * compared
        self._least = min(self._least, work)
        self._debt += work - self._least
        self._raised = max(0, self._raised - 1)
        higher = [rank for rank in _ranks(len(self._frame.centre)) if rank > self._frame.rank]
        if higher and _COMPARED * compared > 2 * (looked_at + _PROJECTED * size * coordinates):
            self._order, self._rank, self._raised = None, higher[0], _RAISED_FOR
        elif self._debt > _ordering(size):
            self._order = None


def _ordering(size: int) -> float:
    return _ORDERED * size * math.log2(max(2, size / _BLOCK))


def _ranks(dim: int) -> list[int]:
    """Directions that make, with the length of the rest, whole vectors, and leave enough to be worth it."""
    return [rank for rank in (7, 15, 31) if 2 * rank < dim]


@dataclass(frozen=True)
class Survey:
    """What a sample of latents says: their ``centre`` fp32 ``[D]``, a power of two, covariance, and the rank that pays."""

    centre: Tensor
    scale: float
    covariance: Tensor
    rank: int = 0

    def frame(self, rank: int) -> Frame:
        """The leading ``rank`` directions."""
        basis = np.concatenate([np.zeros((1, len(self.centre))), _leading(self.covariance.double().numpy(), rank)])
        return Frame(self.centre.double().numpy(), basis, self.scale)


def _leading(covariance: np.ndarray, rank: int) -> np.ndarray:
    """About the ``rank`` leading eigenvectors ``[rank, D]``, orthonormal to fp64: subspace iteration from a fixed start."""
    start = _start(len(covariance), rank)
    basis = np.linalg.qr(covariance @ (covariance @ start))[0]
    basis = np.linalg.qr(covariance @ basis)[0]
    return np.ascontiguousarray(basis.T)


@cache
def _start(dim: int, rank: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((dim, rank))


def survey(latents: Tensor, codewords: Tensor, dense: Dense, remembered: bool) -> Survey | None:
    """Whether the bound pays, from a sample of ``latents [N, D]`` and ``codewords [K, D]``; None where it does not.

    A function of the rows alone, so that a search does not depend on those before it.
    """
    (rows, dim), size = latents.shape, codewords.shape[0]
    sample = dense(latents[:: max(1, rows // 512)])
    centre = sample.mean(0)
    sample = sample - centre
    top = float(sample.abs().max())
    if not 1e-15 < top < 1e15:  # also where a latent is not finite
        return None
    scale = 2.0 ** -math.frexp(top)[1]
    sample *= scale
    covariance = sample.T @ sample / len(sample)
    spread = float(covariance.trace())
    if float(covariance.square().sum()) * dim < 2 * spread * spread:  # like at least dim / 2 equal directions
        return None
    found = Survey(centre, scale, covariance)
    few = sample[:: max(1, len(sample) // 32)]
    some = dense(codewords[:: max(1, size // min(2048, max(512, size // 8)))]).sub(centre).mul_(scale)
    least = 0.8 * _PRODUCT * dim * size - _ordering(size) / rows / (4 if remembered else 1)
    for rank in _ranks(dim):
        cost, promising = _cost(few, some, found.frame(rank), rows, size)
        if cost < least:
            found, least = replace(found, rank=rank), cost
        if not promising:
            break
    return found if found.rank else None


def _cost(latents: Tensor, codewords: Tensor, frame: Frame, rows: int, size: int) -> tuple[float, bool]:
    """Cycles a latent with these directions, guessed from samples in the frame, and whether more might cost less."""
    basis = torch.from_numpy(frame.basis[1:]).float()
    points, others = latents @ basis.T, codewords @ basis.T
    lengths, other_lengths = latents.square().sum(1), codewords.square().sum(1)
    own, other = points.square().sum(1), others.square().sum(1)
    rest, other_rest = (lengths - own).clamp_(min=0).sqrt_(), (other_lengths - other).clamp_(min=0).sqrt_()
    nearest = torch.addmm(other_lengths, latents, codewords.T, alpha=-2).amin(1).add_(lengths)[:, None]
    bounds = torch.addmm(other, points, others.T, alpha=-2).add_((rest[:, None] - other_rest).square_())
    compared = _COMPARED * _share(bounds <= nearest - own[:, None])
    # Cells of a k-d tree are cut along few coordinates and wide in all others.
    first, firsts = points[:, :_CUT], others[:, :_CUT]
    in_reach = torch.addmm(firsts.square().sum(1), first, firsts.T, alpha=-2) <= nearest - first.square().sum(1)[:, None]
    coordinates = frame.rank + 1
    looked_at = _LOOKED_AT * coordinates * min(1.0, 0.03 + 2 * _share(in_reach))
    projected = _PROJECTED * coordinates / rows
    return size * (projected + looked_at + compared), compared > looked_at + projected


def _share(mask: Tensor) -> float:
    return int(torch.count_nonzero(mask)) / mask.numel()


def _rough_points(codewords: np.ndarray, frame: Frame) -> np.ndarray:
    """Coordinates ``[K, r + 1]`` of codewords, good enough for an order."""
    rows = torch.from_numpy(codewords)
    basis = torch.from_numpy(frame.basis[1:]).float()
    centre = torch.from_numpy(frame.centre).float()
    parts = []
    for chunk in rows.split(8192):
        centred = (chunk - centre) * frame.scale
        points = centred @ basis.T
        rest = (centred.square().sum(1) - points.square().sum(1)).clamp_(min=0).sqrt_()
        parts.append(torch.cat([rest[:, None], points], dim=1))
    return torch.cat(parts).numpy()


@cache
def _kernels() -> ModuleType | None:
    """The compiled loops; None without a compiler."""
    try:
        import numba

        from methods.parts import bounded_kernels
    except ImportError:
        return None
    return None if numba.config.DISABLE_JIT else bounded_kernels


def search_bounded(
    latents: Tensor, codewords: Tensor, dense: Dense, memory: SearchMemory | None = None
) -> Tensor | None:
    """Codes int64 ``[N]`` of ``latents [N, D]`` in ``codewords [K, D]`` on a CPU; None where this would not pay.

    What is compared is ``dense(rows)``, fp32 and contiguous.
    """
    if latents.shape[0] * codewords.shape[0] < _FEWEST_PAIRS or not _ranks(latents.shape[1]):
        return None
    found = survey(latents, codewords, dense, remembered=memory is not None)
    if found is None or _kernels() is None:
        return None
    return _search(dense(latents).numpy(), dense(codewords).numpy(), found, memory or SearchMemory())


@contextmanager
def _workers(threads: int) -> Iterator[Callable[[Callable[[int, int], Any], int, int], list[Any]]]:
    """``share(task, count, least)``: ``task(first, last)`` over parts of ``range(count)`` on as many threads; results."""

    def share(task: Callable[[int, int], Any], count: int, least: int) -> list[Any]:
        parts = max(1, min(4 * threads if threads > 1 else 1, count // least))
        edges = [count * part // parts for part in range(parts + 1)]
        left, results = iter(list(zip(edges, edges[1:], strict=False))), []

        def work() -> None:
            for first, last in left:
                results.append(task(first, last))

        others = [pool.submit(work) for _ in range(min(threads, parts) - 1)]
        work()
        for other in others:
            other.result()
        return results

    with ThreadPoolExecutor(max(1, threads - 1)) as pool:  # starts no thread before it has work
        yield share


def _search(latents: np.ndarray, codewords: np.ndarray, found: Survey, memory: SearchMemory) -> Tensor:
    kernels = _kernels()
    assert kernels is not None
    (rows, dim), size = latents.shape, codewords.shape[0]
    frame, order = memory.frame_and_order(codewords, found)
    blocks = len(order)
    supers, coordinates = -(-blocks // kernels.SUPER), frame.rank + 1
    points = np.empty((blocks, coordinates, kernels.WIDTH), np.float32)
    low, high = np.empty((2, supers, coordinates, kernels.SUPER), np.float32)
    super_low, super_high = np.empty((2, 1, coordinates, supers), np.float32)
    reach, super_reach = np.empty((supers, kernels.SUPER), np.float32), np.empty(supers, np.float32)
    places, lengths = np.empty((rows, coordinates), np.float32), np.empty(rows, np.float32)
    home, codes = np.empty(rows, np.int32), np.empty(rows, np.int64)
    slack = 4 * (dim * 2.0**-53) ** 0.5 + 2.0**-22
    where = (frame.centre, frame.basis, frame.scale)
    boxes = (low, high, super_low, super_high)

    def floats(*shape: int) -> np.ndarray:
        return np.empty(shape, np.float32)

    def lay_out(first: int, last: int) -> None:
        kernels.lay_out(codewords, order, *where, first, last, points, *boxes, reach, super_reach, floats(1, coordinates))

    def locate(first: int, last: int) -> None:
        kernels.locate(latents, *where, first, last, *boxes, places, lengths, home, floats(supers), floats(kernels.SUPER))

    def search(first: int, last: int) -> tuple[int, int]:
        state = (latents, codewords, order, points, *boxes, reach, super_reach, places, lengths, turn)
        scratch = (floats(supers), floats(kernels.SUPER), floats(kernels.WIDTH), np.empty(blocks, np.int32), floats(blocks))
        result: tuple[int, int] = kernels.search(*state, home, first, last, frame.scale, slack, codes, *scratch)
        return result

    with _workers(torch.get_num_threads()) as share:
        share(lay_out, supers, 16)
        share(locate, rows, 512)
        turn = np.argsort(home.astype(np.uint16) if blocks < 1 << 16 else home, kind="stable")
        work = share(search, rows, 256)
    memory.learn(size, sum(scanned for scanned, _ in work), sum(compared for _, compared in work))
    return torch.from_numpy(codes)
