"""What the processes of a distributed run share: sums, rows and draws. Of one process everything is as it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_alone = False


def is_distributed() -> bool:
    """Whether several processes train one model together."""
    return not _alone and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@contextmanager
def alone() -> Iterator[None]:
    """Within it, statistics are of this process's rows only: evaluation, where processes have batches of their own."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def rank() -> int:
    """This process's number among those that train together, from 0."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if is_distributed() else 1


def batch_sizes(latents: Tensor) -> list[int]:
    """Number of rows ``[N, D]`` of each process."""
    if not is_distributed():
        return [latents.shape[0]]
    sizes = torch.zeros(world_size(), dtype=torch.int64, device=latents.device)
    sizes[rank()] = latents.shape[0]
    return [int(size) for size in all_reduce(sizes)]


def all_reduce(tensor: Tensor) -> Tensor:
    """Sum over all processes, in place; the tensor itself where there is one process."""
    return _in_place(dist.all_reduce, tensor) if is_distributed() else tensor


def all_reduce_min(tensor: Tensor) -> Tensor:
    """Element-wise minimum over all processes, in place."""
    return _in_place(partial(dist.all_reduce, op=dist.ReduceOp.MIN), tensor) if is_distributed() else tensor


def _in_place(collective: Callable[[Tensor], Any], tensor: Tensor) -> Tensor:
    """``collective`` on the elements of ``tensor`` in their order: it would walk memory, which may have another one."""
    if tensor.is_contiguous():
        collective(tensor)
        return tensor
    rows = tensor.contiguous()
    collective(rows)
    return tensor.copy_(rows)


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return all_reduce(tensor.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return all_reduce(gradients[0].clone())


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Sum over all processes with a gradient: that of the losses of all processes, each of which sees the sum."""
    return _SumOverProcesses.apply(tensor) if is_distributed() else tensor


def broadcast(tensor: Tensor) -> Tensor:
    """The first process's tensor on every process, in place."""
    return _in_place(partial(dist.broadcast, src=0), tensor) if is_distributed() else tensor


def gather_rows(latents: Tensor) -> Tensor:
    """All rows of the whole batch ``[N, D]``, process after process; the tensor itself where there is one.

    The gradient is that of `sum_over_processes`.
    """
    if not is_distributed():
        return latents
    sizes = batch_sizes(latents)
    first = sum(sizes[: rank()])
    rows = latents.new_zeros(sum(sizes), latents.shape[1])
    rows[first : first + latents.shape[0]] = latents
    return sum_over_processes(rows)


def own_rows(rows: Tensor) -> Tensor:
    """This process's part of rows ``[N, ...]`` that every process holds: what `gather_rows` puts together again.

    Contiguous, in the order of ranks, equal up to one row.
    """
    return rows.tensor_split(world_size())[rank()] if is_distributed() else rows


def best_rows(rows: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    """For each of ``rows [K, D]`` that of the process with the highest ``score [K]``, the first of equals."""
    if not is_distributed():
        return rows
    scores = score(rows)
    best = scores.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(best, op=dist.ReduceOp.MAX)
    owner = torch.where(scores == best, rank(), world_size())
    dist.all_reduce(owner, op=dist.ReduceOp.MIN)
    return all_reduce(torch.where((owner == rank())[:, None], rows, torch.zeros_like(rows)))
