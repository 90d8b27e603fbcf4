"""Points in an order in which neighbours stand together: the leaves of a k-d tree."""

import numpy as np

_LOOKED_AT = 32
"""Points of a cell by which the coordinate to cut along is chosen."""


def cells(count: int, most: int) -> int:
    """How many cells of at most ``most`` points `kd_order` makes of so many."""
    return 1 << max(0, (-(-count // most) - 1).bit_length())


def kd_order(points: np.ndarray, most: int) -> np.ndarray:
    """Indices of ``points [K, R]`` as cells int32 ``[2^m, size]`` of at most ``most`` near each other; -1 fills up.

    Every cell is cut at its median along the coordinate in which it varies most (Bentley, "Multidimensional binary
    search trees used for associative searching", CACM 1975).
    """
    count, depth = len(points), cells(len(points), most).bit_length() - 1
    size = -(-count // (1 << depth))
    assert points.size < 1 << 31, points.shape
    columns = np.ascontiguousarray(points.T).ravel()  # of which one at a time stays in a core's memory
    found = np.arange(size << depth, dtype=np.int32).reshape(1, -1)
    for _ in range(depth):
        real = np.minimum(found, count - 1)
        looked_at = real[:, :: -(-real.shape[1] // _LOOKED_AT)]
        widest = points[looked_at].var(1).argmax(1).astype(np.int32)
        values = columns.take(real + count * widest[:, None])
        halves = np.argpartition(values, real.shape[1] // 2, axis=1)
        halves += real.shape[1] * np.arange(len(found))[:, None]
        found = found.take(halves).reshape(2 * len(found), -1)
    return np.where(found < count, found, -1)
