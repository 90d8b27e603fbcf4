"""Metrics of vectors that are quantized without an encoder."""

from pathlib import Path
from typing import Any

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

    def details(self) -> dict[str, Any]:
        """Nothing: there is no network."""
        return {}

    def save_samples(self, originals: Tensor, reconstructions: Tensor, folder: Path) -> None:
        """Nothing: a few vectors say nothing to the eye."""


@metrics.register("latents")
def latents(*, item_shape: tuple[int, ...], device: torch.device, originals_key: str) -> ReconstructionMetrics:
    """Vectors: see `LatentMetrics`."""
    return LatentMetrics(device)
