"""Points in cells of neighbours, in two sorts on any device."""

import math

import torch
from torch import Tensor


def cells_of(places: Tensor, most: int) -> Tensor:
    """Indices of ``places [N, R]`` in cells int64 ``[C, most]`` along the coordinates 1 and 2; -1 fills up.

    Cut into strips along the one, and these along the other (Leutenegger, Lopez and Edgington, "STR: a simple and
    efficient algorithm for R-tree packing", ICDE 1997). Where these are the directions of most variance, such cells
    leave about as many pairs as those of a k-d tree, which takes a sort for every doubling of their number.
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
