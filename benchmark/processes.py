"""One run on several processes (ranks): who does what share of a batch, and how they agree.

Every function is also right where there is one process, and then costs nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from methods.parts.processes import all_reduce, broadcast, is_distributed, rank, sum_over_processes, world_size


def is_first() -> bool:
    """Whether this is the process that writes."""
    return rank() == 0


def weight(own: int, whole: int) -> float:
    """By what the mean over ``own`` of ``whole`` items counts, so that the mean over processes is that over all."""
    return own * world_size() / whole if is_distributed() else 1.0


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes.

    A parameter that has a gradient on some processes counts as zero on the others; without one anywhere it
    keeps none, so that an optimiser passes it over as it does in a run of one process.
    """
    if not is_distributed():
        return
    trained = list(parameters)
    present = torch.tensor([parameter.grad is not None for parameter in trained], dtype=torch.int32)
    dist.all_reduce(present, op=dist.ReduceOp.MAX)
    used = [parameter for parameter, anywhere in zip(trained, present.tolist(), strict=True) if anywhere]
    if not used:
        return
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in used]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    pieces = flat.split([gradient.numel() for gradient in gradients])
    for parameter, piece in zip(used, pieces, strict=True):
        parameter.grad = torch.empty_like(parameter).copy_(piece.view(parameter.shape))


def channel_moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number of values a channel of ``[B, C, H, W]``, their means and variances ``[C]``, over the items of all.

    Gradients flow through means and variances to the items of every process.
    """
    count = all_reduce(features.new_tensor(features.numel() / features.shape[1]))
    mean = sum_over_processes(features.sum((0, 2, 3))) / count
    centred = features - mean[:, None, None]
    return count, mean, sum_over_processes(centred.square().sum((0, 2, 3))) / count


def average_terms(terms: Mapping[str, Tensor], own: int) -> dict[str, float]:
    """Scalars of ``own`` items as means over the whole batch; a term need not be there on every process."""
    mine = {name: float(value) for name, value in terms.items()}
    if not is_distributed():
        return mine
    pairs: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(pairs, (own, mine))
    names = dict.fromkeys(name for _, found in pairs for name in found)
    return {
        name: sum(count * found[name] for count, found in pairs if name in found)
        / sum(count for count, found in pairs if name in found)
        for name in names
    }


def first_says(*flags: bool) -> list[bool]:
    """The first process's ``flags`` on all of them: what depends on a clock or a signal must not differ."""
    return [bool(flag) for flag in broadcast(torch.tensor(flags, dtype=torch.uint8)).tolist()]


def one_says(value: float) -> float:
    """The first process's ``value`` on all of them: on a GPU the same sum may differ in its last digits."""
    return float(broadcast(torch.tensor(value, dtype=torch.float64)))


def all_say(flag: bool) -> bool:
    """Whether ``flag`` holds on every process."""
    if not is_distributed():
        return flag
    told = torch.tensor([flag], dtype=torch.uint8)
    dist.all_reduce(told, op=dist.ReduceOp.MIN)
    return bool(told.item())


def gather(tensor: Tensor) -> list[Tensor]:
    """``tensor``, of one shape everywhere and in main memory, of every process."""
    if not is_distributed():
        return [tensor]
    found = [torch.empty_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(found, tensor)
    return found
