"""Batch norm by the statistics of the whole batch, whichever process has which of its items."""

import torch
from torch import Tensor, nn

from benchmark.processes import channel_moments
from methods.parts.processes import is_distributed


class BatchNorm(nn.BatchNorm2d):
    """As its base in a run of one process; of several, all normalise by the moments of all items and keep those."""

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]``, same shape."""
        if not self.training or not is_distributed():
            return super().forward(features)
        count, mean, variance = channel_moments(features)
        self._keep(count, mean.detach(), variance.detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        return (features - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _keep(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, the variance being that of a sample."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        self.num_batches_tracked += 1
