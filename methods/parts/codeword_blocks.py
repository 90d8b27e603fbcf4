"""Codewords in blocks of neighbours with boxes around them, kept from search to search while the codewords move."""

import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from methods.parts.orders import cells, kd_order, strip_order
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

    Before a search they must `follow` codewords that have moved. Those that jump, as dead ones do to where latents
    are, would widen every box that took them in: they have blocks of their own behind the others, put in order anew
    as more come. An order that does not last (``lasting``) is made with less care.
    """

    def __init__(self, codewords: np.ndarray, frame: Frame, kernels: ModuleType, *, lasting: bool = True) -> None:
        self.frame, self.size, self.kernels = frame, len(codewords), kernels
        coordinates = frame.rank + 1
        self._places, self._lengths = np.empty((self.size, coordinates), np.float32), np.empty(self.size, np.float32)
        self.place(codewords, self._places, self._lengths)
        order = (kd_order if lasting else strip_order)(self._places, BLOCK)
        width = -(-order.shape[1] // kernels.LANES) * kernels.LANES
        self._settled = -(-len(order) // kernels.SUPER)
        supers = self._settled + -(-cells(self.size // _MANY, width) // kernels.SUPER)
        self.order = np.full((supers * kernels.SUPER, width), -1, np.int32)
        self.order[: len(order), : order.shape[1]] = order
        self.points = np.empty((len(self.order), coordinates, width), np.float32)
        self.low, self.high = np.empty((2, supers, coordinates, kernels.SUPER), np.float32)
        padded = -(-supers // kernels.LANES) * kernels.LANES
        self.super_low = np.full((1, coordinates, padded), np.inf, np.float32)
        self.super_high = -self.super_low
        self.reach, self.super_reach = np.empty((supers, kernels.SUPER), np.float32), np.empty(supers, np.float32)
        self._jumped = np.zeros(self.order.shape, np.bool_)
        self._jumpers = np.empty(0, np.int32)
        self._lay_out(0, math.inf)
        with np.errstate(over="ignore", invalid="ignore"):
            widths = np.square(self.high - self.low).sum(1)
        widths = widths[np.isfinite(widths)]
        self._far = max(float(widths.sum(dtype=np.float64)) / max(1, len(widths)) / 16, 1e-30)
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
        self.place(codewords, self._places, self._lengths)
        self._lay_out(0, self._far)
        blocks, places = np.nonzero(self._jumped)
        if len(blocks) == 0:
            return True
        settled = blocks < self._settled * self.kernels.SUPER
        jumpers = np.append(self._jumpers, self.order[blocks[settled], places[settled]])
        self.order[blocks, places] = -1
        if len(jumpers) > self.size // _MANY:
            return False
        self._put_behind(jumpers)
        return True

    def _put_behind(self, jumpers: np.ndarray) -> None:
        own = self.order[self._settled * self.kernels.SUPER :]
        order = kd_order(self._places[jumpers], self.order.shape[1])
        own[:] = -1
        own[: len(order), : order.shape[1]] = order  # places among the jumpers
        own[own >= 0] = jumpers[own[own >= 0]]
        self._jumpers = jumpers
        self._lay_out(self._settled, math.inf)

    def _lay_out(self, first: int, far: float) -> None:
        """Coordinates and boxes from the group of blocks ``first`` on."""
        begin = first * self.kernels.SUPER
        outer = [np.ascontiguousarray(box[:, :, first:]) for box in (self.super_low, self.super_high)]
        inner = (self.points[begin:], self.low[first:], self.high[first:])
        kept = (*inner, *outer, self.reach[first:], self.super_reach[first:], self._jumped[begin:])
        given = (self._places, self._lengths, self.order[begin:])
        share(self.kernels.lay_out, (*given, *kept, np.array([far])), self.supers - first, 4)
        self.super_low[:, :, first:], self.super_high[:, :, first:] = outer

    def place(self, rows: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> None:
        """Fill in coordinates ``places [N, r + 1]`` and ``lengths [N]`` of ``rows [N, D]``."""
        frame = self.frame
        given = (rows, frame.centre, frame.basis, np.array([frame.scale]))
        share(self.kernels.place, (*given, places, lengths), len(rows), 128)

    def locate(self, places: np.ndarray, home: np.ndarray) -> None:
        """Fill in the block ``home [N]`` nearest to each of ``places [N, r + 1]``."""
        share(self.kernels.locate, (places, *self.boxes, home), len(places), 128)
