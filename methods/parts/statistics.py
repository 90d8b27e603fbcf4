"""Statistics of a batch: counts, sums and random rows, the same on every process of a distributed run."""

import math

import torch
from torch import Tensor

from methods.parts.processes import all_reduce, batch_sizes, broadcast, is_distributed, rank


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
    return sum(batch_sizes(latents))


def random_rows(latents: Tensor, count: int) -> Tensor:
    """``count`` rows of the whole batch ``[N, D]``, drawn without replacement as long as N allows.

    Where ``count`` exceeds N, every row is drawn floor(count / N) times and the rest at random. The
    draw is the first process's; a distributed run draws the very rows that one process with the
    concatenated batch would.
    """
    sizes = batch_sizes(latents)
    total = sum(sizes)
    repeats = -(-count // total)
    draws = [torch.randperm(total, device=latents.device) for _ in range(repeats)]
    indices = broadcast(torch.cat(draws)[:count])
    if not is_distributed():
        return latents[indices]
    first = sum(sizes[: rank()])
    own = (indices >= first) & (indices < first + latents.shape[0])
    rows = latents.new_zeros(count, latents.shape[1])
    rows[own] = latents[indices[own] - first]
    return all_reduce(rows)


@torch.no_grad()
def candidate_rows(latents: Tensor, count: int) -> Tensor:
    """``count`` random rows of the whole batch ``[N, D]``.

    Where the batch has fewer rows, they are repeated and noise of standard deviation 0.01/√D tells the copies
    apart (Jukebox, arXiv 2005.00341, `_tile` of the authors' code).
    """
    latents = latents.detach().float()
    rows = random_rows(latents, count)
    if count > count_rows(latents):
        rows += broadcast(torch.randn_like(rows)).mul_(0.01 / math.sqrt(rows.shape[1]))
    return rows
