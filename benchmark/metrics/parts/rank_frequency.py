"""How evenly codes are used, code by code: the frequency of each by its rank."""

import numpy as np

POINTS = 200


def relative_curve(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rank / K, frequency · K) of the codes in use, most frequent first, at no more than 200 ranks."""
    used = np.sort(counts[counts > 0])[::-1]
    ranks = np.unique(np.geomspace(1, len(used), POINTS).round().astype(int))
    return ranks / len(counts), used[ranks - 1] / counts.sum() * len(counts)
