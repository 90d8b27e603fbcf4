"""The average of a run's weights over its steps, which is evaluated in their place."""

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from benchmark.training.system import System

Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged(system: System, decay: float) -> AveragedModel | None:
    """An exponential moving average of ``system``, of codebooks that are no parameters too.

    A codebook of moving averages is a buffer; left as it is after the last step, it would quantize the latents of an
    averaged encoder with the codewords of another. Counters and flags are copied. None where there is nothing to
    average: a method without parameters on a model without.
    """
    if not [*system.parameters(), *system.buffers()]:
        return None

    @torch.no_grad()
    def update(averages: Tensors, current: Tensors, _count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, current, 1 - decay)
        else:
            torch._foreach_copy_(averages, current)

    return AveragedModel(system, multi_avg_fn=update, use_buffers=True)
