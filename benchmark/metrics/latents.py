"""Metrics of vectors that are quantized without an encoder."""

import torch
from torch import Tensor

from benchmark.metrics import metrics
from benchmark.metrics.base import ReconstructionMetrics, Value
from methods.parts.processes import all_reduce


class LatentMetrics(ReconstructionMetrics):
    """Squared error summed over the latent dimension, the mean over all latents ``[B, D, *positions]``."""

    def __init__(self, device: torch.device) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)  # squared errors, latents

    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch."""
        errors = (reconstructions - originals).square().sum(1)
        self._sums += torch.stack([errors.double().sum(), self._sums.new_tensor(errors.numel())])

    def compute(self) -> dict[str, Value]:
        """``squared_error``."""
        error, latents = all_reduce(self._sums.clone()).tolist()
        assert latents, "no latents yet"
        return {"squared_error": error / latents}


@metrics.register("latents")
def latents(*, device: torch.device) -> ReconstructionMetrics:
    """Squared error of vectors, summed over dimensions; what the options say is said for images."""
    return LatentMetrics(device)
