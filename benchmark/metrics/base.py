"""What the metrics of a modality are: fed once with the whole test set, then asked for the numbers."""

from pathlib import Path
from typing import Any

from torch import Tensor

Value = float | int | None


class ReconstructionMetrics:
    """How good reconstructions are, measured in one pass over the test set.

    Of several processes each feeds its own part, contiguous and in the order of ranks; `compute` sums over them
    (`methods.parts.processes`), must be called by all, and returns the same on all.
    """

    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch of the model's inputs and outputs, the test set in its own order."""
        raise NotImplementedError

    def compute(self) -> dict[str, Value]:
        """Every metric by the name that `catalogue` knows; None where it can't be had."""
        raise NotImplementedError

    def rates(self, codes: dict[str, Value]) -> dict[str, Value]:
        """What the metrics of the codes are worth in the modality's own terms; after `compute`."""
        return {}

    def details(self) -> dict[str, Any]:
        """What the numbers were measured with, and why one is None; after `compute`."""
        raise NotImplementedError

    def save_samples(self, originals: Tensor, reconstructions: Tensor, folder: Path) -> None:
        """A few originals and their reconstructions, to look at or to listen to."""
        raise NotImplementedError
