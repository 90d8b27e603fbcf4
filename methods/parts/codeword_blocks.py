"""Codewords in blocks of neighbours with boxes around them, kept from search to search while the codewords move."""

import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch

from methods.parts.kd_order import kd_order
from methods.parts.threads import share

BLOCK = 64
"""Codewords in a block at most, when they are put in order."""
_SPARE = 16
"""Places left free in each block where codewords jump."""
_MANY = 8
"""One codeword in so many that jumps makes a new order cheaper than new places."""


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


class Blocks:
    """``size`` codewords in an ``order [blocks, B]`` (-1: a free place), their coordinates in a frame, and boxes.

    Every search must `follow` the codewords first.
    """

    def __init__(self, codewords: np.ndarray, frame: Frame, spare: bool, kernels: ModuleType) -> None:
        self.frame, self.size, self.spare, self.kernels = frame, len(codewords), spare, kernels
        order = kd_order(_rough_points(codewords, frame), BLOCK)
        width = -(-order.shape[1] // kernels.LANES) * kernels.LANES + spare * _SPARE
        self.order = np.full((len(order), width), -1, np.int32)
        self.order[:, : order.shape[1]] = order
        coordinates, supers = frame.rank + 1, -(-len(order) // kernels.SUPER)
        self.points = np.empty((len(order), coordinates, width), np.float32)
        self.low, self.high = np.empty((2, supers, coordinates, kernels.SUPER), np.float32)
        self.super_low, self.super_high = np.empty((2, 1, coordinates, supers), np.float32)
        self.reach, self.super_reach = np.empty((supers, kernels.SUPER), np.float32), np.empty(supers, np.float32)
        self._jumped = np.zeros((len(order), width), np.bool_)
        self._far = math.inf
        self.least, self.debt = math.inf, 0.0

    @property
    def boxes(self) -> tuple[np.ndarray, ...]:
        """As the kernels take them."""
        return self.low, self.high, self.super_low, self.super_high

    @property
    def supers(self) -> int:
        """Boxes around boxes."""
        return len(self.super_reach)

    def follow(self, codewords: np.ndarray) -> bool:
        """Take the coordinates of ``codewords [K, D]`` as they now are; False where they no longer suit the order."""

        frame = self.frame
        given = (codewords, self.order, frame.centre, frame.basis)
        kept = (self.points, *self.boxes, self.reach, self.super_reach, self._jumped)
        share(self.kernels.lay_out, (*given, *kept, np.array([frame.scale, self._far])), self.supers, 4)
        if self._far == math.inf:
            with np.errstate(over="ignore", invalid="ignore"):
                widths = np.square(self.high - self.low).sum(1)
            widths = widths[np.isfinite(widths)]
            self._far = max(float(widths.sum(dtype=np.float64)) / max(1, len(widths)) / 4, 1e-30)
            return True
        blocks, places = np.nonzero(self._jumped)
        if len(blocks) == 0:
            return True
        movers = self.order[blocks, places]
        self.order[blocks, places] = -1
        if len(movers) > self.size // _MANY or not self.spare:
            return False
        self._place(movers, codewords)
        return True

    def locate(self, rows: np.ndarray, places: np.ndarray, lengths: np.ndarray, home: np.ndarray) -> None:
        """Fill in coordinates ``places [N, r + 1]``, ``lengths [N]`` and the nearest block of ``rows [N, D]``."""
        frame = self.frame
        found = (places, lengths, home, np.array([frame.scale]))
        share(self.kernels.locate, (rows, frame.centre, frame.basis, *self.boxes, *found), len(rows), 128)

    def _place(self, movers: np.ndarray, codewords: np.ndarray) -> None:
        """Put codewords into free places of the blocks they are now nearest to, or wherever there are some."""
        count, coordinates = len(movers), self.frame.rank + 1
        points, lengths = np.empty((count, coordinates), np.float32), np.empty(count, np.float32)
        home = np.empty(count, np.int32)
        self.locate(codewords[movers], points, lengths, home)
        by_home = home.argsort(kind="stable")
        homes, begin, index = np.unique(home[by_home], return_index=True, return_inverse=True)
        turn = np.arange(count) - begin[index]  # first, second, ... to the same block
        free = self.order[homes] < 0
        fits = turn < free.sum(1)[index]
        places = (~free).argsort(1, kind="stable")[index[fits], turn[fits]]
        self._put(movers[by_home[fits]], home[by_home[fits]], places, points[by_home[fits]], lengths[by_home[fits]])
        rest = by_home[~fits]
        blocks, places = (found[: len(rest)] for found in np.nonzero(self.order < 0))
        self._put(movers[rest], blocks, places, points[rest], lengths[rest])

    def _put(
        self, movers: np.ndarray, blocks: np.ndarray, places: np.ndarray, points: np.ndarray, lengths: np.ndarray
    ) -> None:
        self.order[blocks, places] = movers
        self.points[blocks, :, places] = points
        s, q = blocks // self.kernels.SUPER, blocks % self.kernels.SUPER
        every = np.arange(points.shape[1])
        for boxes, supers, widen in (
            (self.low, self.super_low, np.minimum),
            (self.high, self.super_high, np.maximum),
        ):
            widen.at(boxes, (s[:, None], every, q[:, None]), points)
            widen.at(supers[0], (every, s[:, None]), points)
        np.maximum.at(self.reach, (s, q), lengths)
        np.maximum.at(self.super_reach, s, lengths)


def _rough_points(codewords: np.ndarray, frame: Frame) -> np.ndarray:
    """Coordinates ``[K, r + 1]`` of codewords, good enough for an order."""
    basis = torch.from_numpy(frame.basis[1:]).float()
    centre = torch.from_numpy(frame.centre).float()
    parts = []
    for chunk in torch.from_numpy(codewords).split(8192):
        centred = (chunk - centre) * frame.scale
        points = centred @ basis.T
        rest = (centred.square().sum(1) - points.square().sum(1)).clamp_(min=0).sqrt_()
        parts.append(torch.cat([rest[:, None], points], dim=1))
    return torch.cat(parts).nan_to_num_().clamp_(-1e9, 1e9).numpy()
