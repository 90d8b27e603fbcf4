"""The interface of an objective."""

from torch import Tensor, nn


class Objective(nn.Module):
    """Reconstruction errors an example; a subclass may add losses of a whole batch."""

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """Summed reconstruction errors ``[B]``."""
        raise NotImplementedError

    def extra(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Further losses of the batch by name, already weighted (perceptual, spectral)."""
        return {}
