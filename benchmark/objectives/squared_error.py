"""Squared error, divided by the training data's variance so that a commitment weight means one thing."""

from torch import Tensor

from benchmark.objectives import objectives
from benchmark.objectives.base import Objective
from methods.core.usage import UsageError, check_range


class SquaredError(Objective):
    """Sum of squared errors an example over ``scale``."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def errors(self, output: Tensor, target: Tensor) -> Tensor:
        """Summed squared errors ``[B]`` over the scale."""
        return (output - target).square().flatten(1).sum(1) / self.scale


@objectives.register("squared_error", added=("weight",))
def squared_error(*, normalise: bool = True, weight: float = 1.0, variance: float) -> Objective:
    """Squared error; ``normalise`` divides it by the variance of the training data, and ``weight`` multiplies it.

    Raises:
        UsageError: there is none to divide by, a weight that is not above zero.
    """
    check_range("objective `squared_error`: weight", weight, 1e-12)
    if normalise and not variance > 0:
        raise UsageError("objective `squared_error`: the training data do not vary; set `normalise: false`")
    return SquaredError((variance if normalise else 1.0) / weight)
