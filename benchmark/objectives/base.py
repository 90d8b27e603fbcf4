"""The interface of an objective."""

from torch import Tensor, nn


class Objective(nn.Module):
    """Reconstruction errors an example; a subclass may add losses of a whole batch, and learn something itself.

    Its ``state_dict`` holds everything it needs to go on, the state of an optimiser of its own included.
    """

    def watch(self, last_layer: nn.Parameter | None) -> None:
        """Called once before training with the weights of the decoder's last layer, where the model names one."""

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """Summed reconstruction errors ``[B]``."""
        raise NotImplementedError

    def extra(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Further losses of the batch by name, already weighted (perceptual, adversarial)."""
        return {}

    def anneal(self, step: int, total_steps: int) -> None:
        """Called before step ``step``, which counts from 0."""

    def learn(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """A step of what the objective itself trains, after the model's; scalars for the history."""
        return {}
