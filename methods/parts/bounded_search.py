"""Exact search for the nearest codeword that compares few of them in full, where latents hardly fill their dimensions.

With P orthonormal directions r of D and rho the length of what they leave of a vector less some origin,

    |P(z - e)|^2 + (rho_z - rho_e)^2  <=  |z - e|^2,

as the rests of z and e are vectors of lengths rho_z and rho_e. The bound is itself a squared distance in r + 1
coordinates, so codewords are ordered there, by a k-d tree or in strips, and cut into blocks; where the box around a
block, or the bound of one codeword, is farther than some codeword already known, it is not looked at. Bounds of this
kind, with one fixed direction for P, are those of equal-average nearest neighbour search (Guan and Kamel 1992; with
rho, Lee and Chen 1994).

**Rounding.** u = 2^-24. Coordinates are sums of D terms in fp64: rho^2 is off by less than 16 D 2^-53 |x|^2, so rho,
its root, by less than 4 (D 2^-53)^(1/2) |x|, which is more than all other coordinates are off by. Kept in fp32, they
are off by another u |x| together. The distance of two such points is therefore too long by at most slack (|z| + |e|),
slack = 4 (D 2^-53)^(1/2) + 4u, and its square as computed, a sum of r + 1 squares of differences in fp32, by a factor
of at most 1 + 2 (r + 8) u. The kernel widens what it compares with by both, and takes distances in full in fp64 from
the rows as they are. So the code is that of the least distance in fp64, of equal ones the lowest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from methods.parts.bounded_survey import (
    COMPARED,
    LOOKED_AT,
    PROJECTED,
    Dense,
    Survey,
    ordering_cycles,
    rank_that_pays,
    ranks,
    survey,
)
from methods.parts.bounded_tiles import TileMemory
from methods.parts.codeword_blocks import Blocks
from methods.parts.threads import share

_FEWEST_PAIRS = 1 << 22
"""Latents x codewords below which even looking at a sample would be felt."""
_TRIED_AGAIN = 8
"""Searches after which codewords of which too many jumped are followed once more."""
_RAISED_FOR = 64
"""Searches after which more directions than a sample asks for are given up again."""


class SearchMemory:
    """What the searches of one codebook leave to the next: the codewords' order, and in how many directions.

    Any order gives the same codes, so this may be lost or outlive the codewords. A copy of it is empty. What searches
    on a GPU leave is in ``tiles``.
    """

    def __init__(self) -> None:
        self.tiles = TileMemory()
        self._blocks: Blocks | None = None
        self._rank, self._raised = 0, 0
        self._restless = 0
        self._unchanging, self._followed = 0, False

    @contextmanager
    def unchanging(self, codewords: Tensor) -> Iterator[None]:
        """Within it ``codewords`` stay as they are, so that blocks need follow them only once."""
        self._unchanging, self._followed = codewords.data_ptr(), False
        try:
            yield
        finally:
            self._unchanging, self._followed = 0, False

    def __reduce__(self) -> tuple[type["SearchMemory"], tuple[()]]:
        """How it is copied."""
        return SearchMemory, ()

    def take(self, codewords: np.ndarray, found: Survey, kernels: ModuleType) -> Blocks:
        """Blocks of ``codewords [K, D]`` as they now are; until they are given `back` there are none to take."""
        blocks, self._blocks = self._blocks, None
        followed, self._followed = self._followed, codewords.ctypes.data == self._unchanging
        if blocks is not None and (blocks.size, len(blocks.frame.centre)) == codewords.shape:
            if followed and self._followed:
                return blocks
            calm = self._restless % _TRIED_AGAIN == 0 and blocks.follow(codewords)
            if calm and self._restless == 0:
                return blocks
            self._restless = 0 if calm else self._restless + 1
        rank = max(found.rank, self._rank if self._raised else 0)
        return Blocks(codewords, found.frame(rank), kernels, lasting=self._restless == 0)

    def back(self, blocks: Blocks, looked_at: int, compared: int) -> None:
        """Keep blocks, unless the search in them says that another order, or more directions, would save more."""
        coordinates = blocks.frame.rank + 1
        scanned = LOOKED_AT * looked_at * blocks.order.shape[1] * coordinates
        work = scanned + COMPARED * compared
        blocks.least = min(blocks.least, work)
        blocks.debt += work - blocks.least
        self._raised = max(0, self._raised - 1)
        higher = [rank for rank in ranks(len(blocks.frame.centre)) if rank > blocks.frame.rank]
        if higher and COMPARED * compared > 2 * (scanned + PROJECTED * blocks.size * coordinates):
            self._rank, self._raised = higher[0], _RAISED_FOR
        elif blocks.debt <= ordering_cycles(blocks.size):
            self._blocks = blocks


@cache
def _kernels() -> ModuleType | None:
    """The compiled loops; None without a compiler."""
    try:
        from methods.parts import bounded_kernels
    except ImportError:
        return None
    return None if bounded_kernels.config.DISABLE_JIT else bounded_kernels


def search_bounded(
    latents: Tensor, codewords: Tensor, dense: Dense, memory: SearchMemory | None = None
) -> Tensor | None:
    """Codes int64 ``[N]`` of ``latents [N, D]`` in ``codewords [K, D]`` on a CPU; None where this would not pay.

    What is compared is ``dense(rows)``, fp32 and contiguous.
    """
    if latents.shape[0] * codewords.shape[0] < _FEWEST_PAIRS or not ranks(latents.shape[1]):
        return None
    found = survey(latents, dense)
    if found is None:
        return None
    rank = rank_that_pays(found, codewords, latents.shape[0], dense, remembered=memory is not None)
    if rank == 0 or _kernels() is None:
        return None
    return _search(
        dense(latents).numpy(), dense(codewords).numpy(), replace(found, rank=rank), memory or SearchMemory()
    )


def _search(latents: np.ndarray, codewords: np.ndarray, found: Survey, memory: SearchMemory) -> Tensor:
    kernels = _kernels()
    assert kernels is not None
    rows, dim = latents.shape
    lengths, home, codes = np.empty(rows, np.float32), np.empty(rows, np.int32), np.empty(rows, np.int64)
    slack = 4 * (dim * 2.0**-53) ** 0.5 + 2.0**-22
    blocks = memory.take(codewords, found, kernels)
    frame, order = blocks.frame, blocks.order
    places, work = np.empty((rows, frame.rank + 1), np.float32), np.zeros(2, np.int64)
    blocks.place(latents, places, lengths)
    blocks.locate(places, home)
    turn = np.argsort(home.astype(np.uint16) if len(order) < 1 << 16 else home, kind="stable")
    state = (latents, codewords, order, blocks.points, *blocks.boxes, blocks.reach, blocks.super_reach)
    mine = (places, lengths, turn, home, codes, work, np.array([frame.scale, slack]))
    share(kernels.search, (*state, *mine), rows, 64)
    memory.back(blocks, *work.tolist())
    return torch.from_numpy(codes)
