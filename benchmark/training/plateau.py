"""The schedule whose rate falls where the validation error does not any more."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from benchmark.schedules import rate_factor

LEAST_GAIN = 1e-4
"""Share of the best error by which another must be lower to be a new best, as in PyTorch's `ReduceLROnPlateau`."""


class PlateauLR(LambdaLR):
    """The warm-up, then ``plateau_factor`` less at every plateau: more than ``plateau_patience`` errors in a row above
    the best.

    Its ``state_dict`` has the best error, how many came after it, and the ``share`` of the rate that is left.
    """

    def __init__(self, optimizer: Optimizer, settings: dict[str, Any]) -> None:
        self.share = 1.0
        self.best = math.inf
        self.waited = 0
        self._patience = settings["plateau_patience"]
        self._factor = settings["plateau_factor"]
        super().__init__(optimizer, rate_factor(settings))

    def get_lr(self) -> list[float | Any]:
        """The rates of the next step, a group each."""
        factors = [factor(self.last_epoch) * self.share for factor in self.lr_lambdas]
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]

    def saw(self, error: float) -> None:
        """Take note of a validation error; the next step has the rate that follows."""
        if error < self.best * (1 - LEAST_GAIN):
            self.best, self.waited = error, 0
            return
        self.waited += 1
        if self.waited > self._patience:
            self.share *= self._factor
            self.waited = 0
            self._last_lr = self.get_lr()
            for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
                group["lr"] = rate
