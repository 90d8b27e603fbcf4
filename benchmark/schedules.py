"""How a learning rate changes over the steps of a run or of what an objective trains."""

import math
from collections.abc import Callable, Mapping
from typing import Any


def rate_factor(settings: Mapping[str, Any]) -> Callable[[int], float]:
    """Factor on the learning rate at each step, from 0: a linear warm-up, then the schedule to its final share.

    Of the steps after the warm-up the ``flat_share``, where there is one, goes by before the schedule falls.

    The step after the last would have the final share itself: no step is spent at a rate of zero. Of ``plateau``, whose
    falls hang on validation errors, the warm-up alone.
    """
    warmup, steps = settings["warmup_steps"], settings["steps"]
    schedule, final = settings["schedule"], settings["final_share"]
    falls = warmup + settings.get("flat_share", 0.0) * (steps - warmup)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if schedule in ("constant", "plateau") or step < falls:
            return 1.0
        done = min(1.0, (step - falls) / (steps - falls))
        left = (1 + math.cos(math.pi * done)) / 2 if schedule == "cosine" else 1 - done
        return final + (1 - final) * left

    return factor
