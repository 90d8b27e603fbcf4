"""Boxes around cells of rows in few coordinates, and lower bounds of distances between them, on any device.

With P orthonormal directions r of D and rho the length of what they leave of a vector less some origin,
|P(z - e)|^2 + (rho_z - rho_e)^2 <= |z - e|^2 (see `bounded_search`), so the gap between a box around latents and one
around codewords in these r + 1 coordinates bounds the distance of each of those from each of these.

**Rounding.** u = 2^-24, x = z - centre as rounded, which is off by u |x|. P is kept in fp32, off by u in each
direction. A coordinate, a sum of D terms in whatever order, is off by (D + 1) u |x|, all r of them together by
r^(1/2) (D + 1) u |x|; the rest x - P'Px as computed by as much again and by (r + 1)(1 + r^(1/2)) u |x|, its length by
another D u |x|. Together less than slack |x|, slack = (4 r^(1/2) (D + r) + 2 D + 16) u, about twice the sum. By the
triangle inequality a distance of two such points is too long by at most slack (|x_z| + |x_e|), and by what underflows:
a sum of D squares loses less than D 2^-126, its root D^(1/2) 2^-63. The gap of two boxes is a root of r + 1 squares of
differences, so it is too long by a factor of at most 1 + (r + 8) u, and its square again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.parts.precision import full_precision

_ROWS_AT_ONCE, _GAPS_AT_ONCE = 1 << 23, 1 << 23
"""Elements of what is made on the way to coordinates, and to bounds: 32 MB each."""
_LARGEST = torch.finfo(torch.float32).max
_UNIT = 2.0**-24


@dataclass(frozen=True)
class Points:
    """Rows in coordinates: ``places [N, r + 1]``, ``lengths [N]`` from the centre, ``squares [N]`` from the origin.

    Only rows that are ``counted [N]`` stretch a box.
    """

    places: Tensor
    lengths: Tensor
    squares: Tensor
    counted: Tensor

    def gather(self, cells: Tensor) -> "Points":
        """Those of ``cells [C, size]``, one after another; what fills cells up (-1) is not counted."""
        real = cells.clamp(min=0).flatten()
        counted = self.counted[real] & (cells.flatten() >= 0)
        return Points(self.places[real], self.lengths[real], self.squares[real], counted)


@dataclass(frozen=True)
class Directions:
    """A ``centre [D]`` and a ``basis [r, D]``, orthonormal but for its rounding to fp32."""

    centre: Tensor
    basis: Tensor

    def place(self, rows: Tensor, counted: Tensor | None = None) -> Points:
        """Coordinates of ``rows [N, D]``; all rows whose squares are finite are counted unless it is said."""
        parts = [self._place(part) for part in rows.split(max(1, _ROWS_AT_ONCE // rows.shape[1]))]
        places, lengths, squares = (
            torch.cat(column) if len(parts) > 1 else column[0] for column in zip(*parts, strict=True)
        )
        return Points(places, lengths, squares, squares.isfinite() if counted is None else counted)

    def _place(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        centred = rows - self.centre
        with full_precision(rows.device):
            places = centred @ self.basis.T
            rest = torch.addmm(centred, places, self.basis, alpha=-1)
        places = torch.cat([rest.square().sum(1, keepdim=True).sqrt_(), places], dim=1)
        return places, centred.square().sum(1).sqrt_(), rows.square().sum(1)

    def narrowing(self) -> "Narrowing":
        """What makes a gap in these coordinates, as computed, a bound."""
        rank, dim = self.basis.shape
        slack = (4 * rank**0.5 * (dim + rank) + 2 * dim + 16) * _UNIT
        return Narrowing(1 - (rank + 16) * _UNIT, slack, 4 * dim**0.5 * 2.0**-63)


@dataclass(frozen=True)
class Narrowing:
    """A gap times ``factor``, less ``slack`` times the lengths of both sides and ``least``, bounds a distance."""

    factor: float
    slack: float
    least: float


@dataclass(frozen=True)
class Boxes:
    """Around cells: ``low`` and ``high`` ``[C, r + 1]``, the greatest length ``reach [C]`` and norm ``norms [C]``."""

    low: Tensor
    high: Tensor
    reach: Tensor
    norms: Tensor

    def of(self, some: slice) -> "Boxes":
        """Some of them."""
        return Boxes(self.low[some], self.high[some], self.reach[some], self.norms[some])


def boxes(points: Points, size: int) -> Boxes:
    """Boxes around every ``size`` points.

    A counted one whose coordinates overflow makes its box endless; a cell without counted ones is far from everything.
    """
    outside = ~points.counted.view(-1, size)
    places = points.places.view(*outside.shape, -1)
    low = places.nan_to_num(-_LARGEST, -_LARGEST, -_LARGEST).masked_fill_(outside[..., None], _LARGEST).amin(1)
    high = places.nan_to_num(_LARGEST, _LARGEST, _LARGEST).masked_fill_(outside[..., None], -_LARGEST).amax(1)
    reach = points.lengths.view_as(outside).masked_fill(outside, 0.0).amax(1)
    norms = points.squares.view_as(outside).masked_fill(outside, 0.0).amax(1).sqrt_()
    return Boxes(low, high, reach, norms)


def lower_bounds(tiles: Boxes, blocks: Boxes, directions: Directions, tolerance: float) -> Tensor:
    """Lower bounds ``[T, B]`` of |z - e|^2 - tolerance (|z| + |e|)^2 for z in a tile and e in a block.

    ``tolerance`` is what the squared distance that it is compared with may be off by. Negative, even -inf, where
    nothing can be said.
    """
    narrowing, parts = directions.narrowing(), []
    step = max(1, _GAPS_AT_ONCE // max(1, blocks.low.numel()))
    for part in (tiles.of(slice(first, first + step)) for first in range(0, len(tiles.low), step)):
        gaps = torch.maximum(blocks.low - part.high[:, None], part.low[:, None] - blocks.high).clamp_(min=0)
        far = gaps.square_().sum(2).sqrt_().mul_(narrowing.factor)
        far -= (part.reach[:, None] + blocks.reach).mul_(narrowing.slack).add_(narrowing.least)
        bounds = far.clamp_(min=0).square_()
        bounds -= (part.norms[:, None] + blocks.norms).square_().mul_(tolerance)
        parts.append(bounds.nan_to_num_(-torch.inf, torch.inf, -torch.inf))
    return torch.cat(parts) if len(parts) > 1 else parts[0]
