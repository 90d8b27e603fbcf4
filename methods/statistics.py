"""Statistics of a batch: counts, sums and candidate rows, the same on every process of a distributed run."""

from collections.abc import Iterator
from contextlib import contextmanager
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


def all_reduce(tensor: Tensor) -> Tensor:
    """Sum over all processes, in place; the tensor itself where there is one process."""
    if is_distributed():
        dist.all_reduce(tensor)
    return tensor


def all_reduce_min(tensor: Tensor) -> Tensor:
    """Element-wise minimum over all processes, in place."""
    if is_distributed():
        dist.all_reduce(tensor, op=dist.ReduceOp.MIN)
    return tensor


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


def code_counts(codes: Tensor, codebook_size: int) -> Tensor:
    """How often each code occurs in ``codes`` (any shape, >= 0), float32 ``[K]``, over all processes."""
    flat = codes.reshape(-1)
    counts = torch.zeros(codebook_size, device=codes.device)
    return all_reduce(counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.float32)))


def code_sums(latents: Tensor, codes: Tensor, codebook_size: int) -> Tensor:
    """Sum of the latents ``[N, D]`` assigned to each code ``[N]``: ``[K, D]``, over all processes."""
    sums = torch.zeros(codebook_size, latents.shape[1], device=latents.device)
    return all_reduce(sums.index_add_(0, codes, latents.float()))


def num_rows(latents: Tensor) -> Tensor:
    """Number of rows of ``[N, D]`` over all processes, as a float32 scalar on the same device."""
    return all_reduce(torch.tensor(float(latents.shape[0]), device=latents.device))


def count_rows(latents: Tensor) -> int:
    """`num_rows` as an int; it waits for the device only where several processes train together."""
    return sum(_batch_sizes(latents))


def random_rows(latents: Tensor, count: int) -> Tensor:
    """``count`` rows of the whole batch ``[N, D]``, drawn without replacement as long as N allows.

    Where ``count`` exceeds N, every row is drawn floor(count / N) times and the rest at random. The
    draw is the first process's; a distributed run draws the very rows that one process with the
    concatenated batch would.
    """
    sizes = _batch_sizes(latents)
    total = sum(sizes)
    repeats = -(-count // total)
    draws = [torch.randperm(total, device=latents.device) for _ in range(repeats)]
    indices = torch.cat(draws)[:count]
    if not is_distributed():
        return latents[indices]
    dist.broadcast(indices, src=0)
    first = sum(sizes[: _rank()])
    mine = (indices >= first) & (indices < first + latents.shape[0])
    rows = latents.new_zeros(count, latents.shape[1])
    rows[mine] = latents[indices[mine] - first]
    return all_reduce(rows)


def gather_rows(latents: Tensor) -> Tensor:
    """All rows of the whole batch ``[N, D]``, process after process; the tensor itself where there is one.

    The gradient is that of `sum_over_processes`.
    """
    if not is_distributed():
        return latents
    sizes = _batch_sizes(latents)
    first = sum(sizes[: _rank()])
    rows = latents.new_zeros(sum(sizes), latents.shape[1])
    rows[first : first + latents.shape[0]] = latents
    return sum_over_processes(rows)


def own_rows(rows: Tensor) -> Tensor:
    """This process's part of rows ``[N, D]`` that every process holds: what `gather_rows` puts together again."""
    return rows.tensor_split(_world_size())[_rank()] if is_distributed() else rows


def best_rows(rows: Tensor, scores: Tensor) -> Tensor:
    """For each of ``rows [K, D]`` that of the process with the highest of ``scores [K]``, the first of equals."""
    if not is_distributed():
        return rows
    best = scores.clone()
    dist.all_reduce(best, op=dist.ReduceOp.MAX)
    owner = torch.where(scores == best, _rank(), _world_size())
    dist.all_reduce(owner, op=dist.ReduceOp.MIN)
    return all_reduce(torch.where((owner == _rank())[:, None], rows, torch.zeros_like(rows)))


def broadcast(tensor: Tensor) -> Tensor:
    """The first process's tensor on every process, in place."""
    if is_distributed():
        dist.broadcast(tensor, src=0)
    return tensor


def _rank() -> int:
    return dist.get_rank() if is_distributed() else 0


def _world_size() -> int:
    return dist.get_world_size() if is_distributed() else 1


def _batch_sizes(latents: Tensor) -> list[int]:
    """Number of rows of each process."""
    if not is_distributed():
        return [latents.shape[0]]
    sizes = torch.zeros(_world_size(), dtype=torch.int64, device=latents.device)
    sizes[_rank()] = latents.shape[0]
    return [int(size) for size in all_reduce(sizes)]
