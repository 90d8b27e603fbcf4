"""Exponential moving averages of how many latents each code drew, and of their sum."""

import torch
from torch import Tensor, nn

from methods.parts.statistics import code_counts, code_sums


class EMAStatistics(nn.Module):
    """Moving averages of counts ``[K]`` and sums ``[K, D]``, all-reduced; saved with the model.

    ``debias`` starts both at zero and corrects by 1 - decay^t (sonnet's ExponentialMovingAverage);
    otherwise counts start at zero and sums at the codewords. Without ``sums`` only the counts are averaged: for
    codewords that something else trains.
    """

    counts: Tensor
    sums: Tensor | None
    steps: Tensor

    def __init__(self, codebook: Tensor, *, decay: float, epsilon: float, debias: bool, sums: bool = True) -> None:
        super().__init__()
        self.decay = decay
        self.epsilon = epsilon
        self.debias = debias
        self.register_buffer("counts", torch.zeros(codebook.shape[0]))
        start = codebook.detach()
        self.register_buffer("sums", (torch.zeros_like(start) if debias else start.clone()) if sums else None)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, latents: Tensor, codes: Tensor) -> None:
        """Fold in latents ``[N, D]`` and their codes ``[N]``."""
        size = self.counts.shape[0]
        self.counts.lerp_(code_counts(codes, size), 1 - self.decay)
        if self.sums is not None:
            self.sums.lerp_(code_sums(latents, codes, size), 1 - self.decay)
        self.steps += 1

    @torch.no_grad()
    def restart(self, places: Tensor | None, counts: Tensor, codewords: Tensor) -> None:
        """Set the averages of all codes, or of the mask ``places [K]``, to ``counts`` of ``codewords [K, D]``."""
        counts = counts.expand(self.counts.shape)
        self.counts.copy_(counts if places is None else torch.where(places, counts, self.counts))
        if self.sums is not None:
            sums = counts[:, None] * codewords
            self.sums.copy_(sums if places is None else torch.where(places[:, None], sums, self.sums))

    def means(self, out: Tensor | None = None) -> Tensor:
        """Smoothed means ``[K, D]``: sums over Laplace-smoothed counts; into ``out`` where there is one."""
        counts, sums = self.counts, self.sums
        assert sums is not None, "only counts are averaged"
        if self.debias:
            correction = 1 - self.decay**self.steps
            counts, sums = counts / correction, torch.div(sums, correction, out=out)
        total = counts.sum()
        smoothed = (counts + self.epsilon) / (total + counts.shape[0] * self.epsilon) * total
        return torch.div(sums, smoothed[:, None], out=out)
