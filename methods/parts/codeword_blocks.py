"""Codewords in blocks of neighbours with boxes around them, kept from search to search while the codewords move."""

import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch

from methods.parts.kd_order import cells, kd_order
from methods.parts.threads import share

BLOCK = 64
"""Codewords in a block at most, when they are put in order."""
_MANY = 8
"""One codeword in so many that has jumped makes an order of all cheaper than one more of those."""


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

    Every search must `follow` the codewords first. Those that jump, as dead ones do to where latents are, would widen
    every box that took them in: they have blocks of their own behind the others, put in order anew as more come.
    """

    def __init__(self, codewords: np.ndarray, frame: Frame, kernels: ModuleType) -> None:
        self.frame, self.size, self.kernels = frame, len(codewords), kernels
        order = kd_order(_rough_points(codewords, frame), BLOCK)
        width = -(-order.shape[1] // kernels.LANES) * kernels.LANES
        self._settled = -(-len(order) // kernels.SUPER)
        supers = self._settled + -(-cells(self.size // _MANY, width) // kernels.SUPER)
        self.order = np.full((supers * kernels.SUPER, width), -1, np.int32)
        self.order[: len(order), : order.shape[1]] = order
        coordinates = frame.rank + 1
        self.points = np.empty((len(self.order), coordinates, width), np.float32)
        self.low, self.high = np.empty((2, supers, coordinates, kernels.SUPER), np.float32)
        self.super_low, self.super_high = np.empty((2, 1, coordinates, supers), np.float32)
        self.reach, self.super_reach = np.empty((supers, kernels.SUPER), np.float32), np.empty(supers, np.float32)
        self._jumped = np.zeros(self.order.shape, np.bool_)
        self._jumpers = np.empty(0, np.int32)
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
        self._lay_out(codewords, 0, self._far)
        if self._far == math.inf:
            with np.errstate(over="ignore", invalid="ignore"):
                widths = np.square(self.high - self.low).sum(1)
            widths = widths[np.isfinite(widths)]
            self._far = max(float(widths.sum(dtype=np.float64)) / max(1, len(widths)) / 16, 1e-30)
            return True
        blocks, places = np.nonzero(self._jumped)
        if len(blocks) == 0:
            return True
        settled = blocks < self._settled * self.kernels.SUPER
        jumpers = np.append(self._jumpers, self.order[blocks[settled], places[settled]])
        self.order[blocks, places] = -1
        if len(jumpers) > self.size // _MANY:
            return False
        self._put_behind(jumpers, codewords)
        return True

    def _put_behind(self, jumpers: np.ndarray, codewords: np.ndarray) -> None:
        own = self.order[self._settled * self.kernels.SUPER :]
        order = kd_order(_rough_points(codewords[jumpers], self.frame), self.order.shape[1])
        own[:] = -1
        own[: len(order), : order.shape[1]] = order  # places among the jumpers
        own[own >= 0] = jumpers[own[own >= 0]]
        self._jumpers = jumpers
        self._lay_out(codewords, self._settled, math.inf)

    def _lay_out(self, codewords: np.ndarray, first: int, far: float) -> None:
        """Coordinates and boxes from the group of blocks ``first`` on."""
        begin = first * self.kernels.SUPER
        outer = [np.ascontiguousarray(box[:, :, first:]) for box in (self.super_low, self.super_high)]
        inner = (self.points[begin:], self.low[first:], self.high[first:])
        kept = (*inner, *outer, self.reach[first:], self.super_reach[first:], self._jumped[begin:])
        given = (codewords, self.order[begin:], self.frame.centre, self.frame.basis)
        share(self.kernels.lay_out, (*given, *kept, np.array([self.frame.scale, far])), self.supers - first, 4)
        self.super_low[:, :, first:], self.super_high[:, :, first:] = outer

    def locate(self, rows: np.ndarray, places: np.ndarray, lengths: np.ndarray, home: np.ndarray) -> None:
        """Fill in coordinates ``places [N, r + 1]``, ``lengths [N]`` and the nearest block of ``rows [N, D]``."""
        frame = self.frame
        found = (places, lengths, home, np.array([frame.scale]))
        share(self.kernels.locate, (rows, frame.centre, frame.basis, *self.boxes, *found), len(rows), 128)


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
