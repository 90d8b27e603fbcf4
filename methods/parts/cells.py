"""Points in cells of neighbours, by operations of PyTorch on any device.

Cells are indices int64 ``[cells, most]``; -1 fills them up.
"""

import math

import torch
from torch import Tensor

_LOOKED_AT = 32
"""Points of a cell by which the coordinate to cut along is chosen."""


def cells_of(places: Tensor, most: int) -> Tensor:
    """``places [N, R]`` in 2^m cells of at most ``most``: the leaves of a k-d tree, in m sorts.

    Every cell is cut at its median along the coordinate in which it varies most.
    """
    count = places.shape[0]
    places = places.nan_to_num(0.0, 0.0, 0.0)
    depth = max(0, (-(-count // most) - 1).bit_length())
    size = -(-count // (1 << depth))
    cells = torch.arange(size << depth, device=places.device).clamp_(max=count).view(1, -1)
    for _ in range(depth):
        real = cells.clamp(max=count - 1)
        widest = places[real[:, :: -(-real.shape[1] // _LOOKED_AT)]].var(1, correction=0).argmax(1)
        turn = places[real, widest[:, None]].argsort(1)
        cells = cells.gather(1, turn).view(2 * len(cells), -1)
    filled = cells.new_full((len(cells), most), -1)
    filled[:, :size] = torch.where(cells < count, cells, -1)
    return filled


def strips_of(places: Tensor, most: int) -> Tensor:
    """``places [N, R]`` in cells of at most ``most`` along the coordinates 1 and 2, in two sorts.

    Cut into strips along the one, and these along the other (Leutenegger, Lopez and Edgington, "STR: a simple and
    efficient algorithm for R-tree packing", ICDE 1997): cells little worse than those of a tree where these are the
    directions of most variance, for what has to be put in order at every search.
    """
    count = places.shape[0]
    cells = -(-count // most)
    strips = math.isqrt(max(0, cells - 1)) + 1
    width = -(-cells // strips) * most
    order = places.new_full((strips * width,), count, dtype=torch.int64)
    order[:count] = places[:, 1].argsort()
    order = order.view(strips, width)
    second = torch.where(order < count, places[order.clamp(max=count - 1), 2], torch.inf)
    order = order.gather(1, second.argsort(1)).view(-1, most)
    return torch.where(order < count, order, -1)
