"""How far a mean over test images is known, where they are cut from fewer photographs."""

import numpy as np
import torch
from torch import Tensor

from benchmark.metrics.base import ReconstructionMetrics, Value
from benchmark.metrics.parts.pixels import psnr
from methods.parts.processes import all_reduce

RESAMPLES = 2000


class OverPhotographs(ReconstructionMetrics):
    """``photographs``, how many there are, and ``psnr_halfwidth``, of the 95 % interval of the mean PSNR over them.

    The bootstrap draws photographs, not images: those of one photograph are alike, and their number is no evidence.

    Args:
        groups: the photograph of each image that will be fed, int64 ``[N]``, of 0 to ``count`` - 1, in order.
        count: one more than the largest number of a photograph, the same on all processes.
    """

    def __init__(self, groups: Tensor, count: int, device: torch.device) -> None:
        self._groups = groups.to(device)
        self._sums = torch.zeros(2, count, dtype=torch.float64, device=device)  # of PSNR, and how many images
        self._fed = 0

    @torch.inference_mode()
    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch of images ``[B, C, H, W]`` in [-1, 1]."""
        values = psnr(originals.float(), reconstructions.float().clamp(-1, 1)).double()
        groups = self._groups[self._fed : self._fed + len(values)]
        self._sums.index_add_(1, groups, torch.stack([values, torch.ones_like(values)]))
        self._fed += len(values)

    def compute(self) -> dict[str, Value]:
        """Both numbers."""
        sums, counts = all_reduce(self._sums.clone()).cpu().numpy()
        seen = counts > 0
        return {
            "photographs": int(seen.sum()),
            "psnr_halfwidth": bootstrap_halfwidth(sums[seen], counts[seen]) if seen.sum() > 1 else None,
        }


def bootstrap_halfwidth(sums: np.ndarray, counts: np.ndarray) -> float:
    """Half of the 95 % percentile interval of sum(sums) / sum(counts) where their rows ``[G]`` are drawn again."""
    draws = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), RESAMPLES)
    low, high = np.percentile((draws @ sums) / (draws @ counts), [2.5, 97.5])
    return float(high - low) / 2
