"""Squared error, divided by the training data's variance so that a commitment weight means one thing."""

from torch import Tensor

from benchmark.objectives import objectives
from benchmark.objectives.base import Objective
from methods.core.usage import UsageError


class SquaredError(Objective):
    """Sum of squared errors an example over ``scale``."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """Summed squared errors ``[B]`` over the scale."""
        return (output - target).square().flatten(1).sum(1) / self.scale


@objectives.register("squared_error")
def squared_error(*, normalise: bool = True, variance: float) -> Objective:
    """Squared error; ``normalise`` divides it by the variance of the training data.

    Raises:
        UsageError: there is none to divide by.
    """
    if normalise and not variance > 0:
        raise UsageError("objective `squared_error`: the training data do not vary; set `normalise: false`")
    return SquaredError(variance if normalise else 1.0)
