"""Points in an order in which neighbours stand together: the leaves of a k-d tree."""

import numpy as np

_LOOKED_AT = 32
"""Points of a cell by which the coordinate to cut along is chosen."""


def kd_order(points: np.ndarray, most: int) -> np.ndarray:
    """Indices of ``points [K, R]`` as cells int32 ``[2^m, size]`` of at most ``most`` near each other; -1 fills up.

    Every cell is cut at its median along the coordinate in which it varies most (Bentley, "Multidimensional binary
    search trees used for associative searching", CACM 1975).
    """
    depth = max(0, (-(-len(points) // most) - 1).bit_length())
    size = -(-len(points) // (1 << depth))
    cells = np.arange(size << depth).reshape(1, -1)
    for _ in range(depth):
        real = np.minimum(cells, len(points) - 1)
        looked_at = real[:, :: -(-real.shape[1] // _LOOKED_AT)]
        widest = points[looked_at].var(1).argmax(1)
        halves = np.argpartition(points[real, widest[:, None]], real.shape[1] // 2, axis=1)
        cells = np.take_along_axis(cells, halves, 1).reshape(2 * len(cells), -1)
    return np.where(cells < len(points), cells, -1).astype(np.int32)
