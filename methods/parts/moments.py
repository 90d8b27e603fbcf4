"""The penalty that holds latents at mean 0 and a wanted variance in each dimension."""

from torch import Tensor

from methods.parts.processes import sum_over_processes

_MEAN_WEIGHT, _VARIANCE_WEIGHT = 0.1, 0.07
"""The weights of VP-VAE's code (zhai-lw/vp-vae, vp/l_utils.py)."""


def moment_penalty(rows: Tensor, variance: float) -> Tensor:
    """0.1 · mean over dimensions of (mean)² + 0.07 · that of (variance - wanted)², of ``rows [N, d]``; scalar.

    Mean and unbiased variance are those of the whole batch, over all processes.
    """
    count = sum_over_processes(rows.new_full((), rows.shape[0]))
    mean = sum_over_processes(rows.sum(0)) / count
    found = sum_over_processes((rows - mean).square().sum(0)) / (count - 1).clamp(min=1)
    return _MEAN_WEIGHT * mean.square().mean() + _VARIANCE_WEIGHT * (found - variance).square().mean()
