"""Mean and variance of all that passed so far, channel by channel, by which what passes is normalised and restored."""

import torch
from torch import Tensor, nn

from methods.parts.processes import all_reduce


class RunningNormaliser(nn.Module):
    """To mean 0 and variance 1 of each channel, over everything that it has learned, each value alike.

    Welford's algorithm a batch at a time, as the normaliser of HQA (Williams et al., arXiv 2002.08111); sums are kept
    in fp64, for a count in fp32 would stop to grow. Before it has learned anything it leaves all as it is.
    """

    mean: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(channels, dtype=torch.float64))  # of deviations, summed
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def learn(self, latents: Tensor) -> None:
        """Add latents ``[B, *positions, C]``, of all processes."""
        rows = latents.reshape(-1, latents.shape[-1]).double()
        count = self.count + all_reduce(rows.new_tensor(float(len(rows))))
        mean = self.mean + all_reduce((rows - self.mean).sum(0)) / count
        self.squares += all_reduce(((rows - self.mean) * (rows - mean)).sum(0))
        self.mean.copy_(mean)
        self.count.copy_(count)

    def normalise(self, latents: Tensor) -> Tensor:
        """``latents`` less the mean, over the standard deviation."""
        return (latents - self.mean.float()) / self._deviation()

    def restore(self, normalised: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        return normalised * self._deviation() + self.mean.float()

    def _deviation(self) -> Tensor:
        """1 for a channel that does not vary, and where nothing was learned."""
        variance = self.squares / self.count.clamp(min=1)
        return torch.where(variance > 0, variance, 1.0).sqrt().float()
