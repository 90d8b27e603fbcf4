"""Exponential moving averages of how many latents each code drew, and of their sum."""

import torch
from torch import Tensor, nn

from methods.parts.statistics import code_counts, code_sums


class EMAStatistics(nn.Module):
    """Moving averages of counts ``[K]`` and sums ``[K, D]``, all-reduced; saved with the model.

    ``debias`` starts both at zero and corrects by 1 - decay^t (sonnet's ExponentialMovingAverage);
    otherwise counts start at zero and sums at the codewords.
    """

    counts: Tensor
    sums: Tensor
    steps: Tensor

    def __init__(self, codebook: Tensor, *, decay: float, epsilon: float, debias: bool) -> None:
        super().__init__()
        self.decay = decay
        self.epsilon = epsilon
        self.debias = debias
        self.register_buffer("counts", torch.zeros(codebook.shape[0]))
        self.register_buffer("sums", torch.zeros_like(codebook) if debias else codebook.clone())
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, latents: Tensor, codes: Tensor) -> None:
        """Fold in latents ``[N, D]`` and their codes ``[N]``."""
        size = self.counts.shape[0]
        self.counts.lerp_(code_counts(codes, size), 1 - self.decay)
        self.sums.lerp_(code_sums(latents, codes, size), 1 - self.decay)
        self.steps += 1

    def means(self, out: Tensor | None = None) -> Tensor:
        """Smoothed means ``[K, D]``: sums over Laplace-smoothed counts; into ``out`` where there is one."""
        counts, sums = self.counts, self.sums
        if self.debias:
            correction = 1 - self.decay**self.steps
            counts, sums = counts / correction, torch.div(sums, correction, out=out)
        total = counts.sum()
        smoothed = (counts + self.epsilon) / (total + counts.shape[0] * self.epsilon) * total
        return torch.div(sums, smoothed[:, None], out=out)
