"""Exact counts of tuples of codes, too many to have a bin each."""

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from methods.parts.processes import all_reduce, is_distributed

WORD = 2**62
PENDING_ROWS = 2**22


class TupleHistogram:
    """How often each tuple of codes occurs, streaming; memory grows with the distinct tuples.

    A tuple is written in the mixed radix of the level sizes as one int64 word as long as their
    product is at most 2^62, and as several beyond.
    """

    def __init__(self, level_sizes: tuple[int, ...], device: torch.device | str) -> None:
        self._words = _group(level_sizes)
        self._sizes = level_sizes
        self._distinct = torch.empty(0, len(self._words), dtype=torch.int64, device=device)
        self._counts = torch.empty(0, dtype=torch.int64, device=device)
        self._pending: list[Tensor] = []

    def update(self, codes: Tensor) -> None:
        """Add ``[N, L]`` codes; a tuple with a dropped level (-1) is not counted."""
        words = torch.stack([self._pack(codes, levels) for levels in self._words], dim=1)
        words = torch.where((codes < 0).any(1, keepdim=True), -1, words)
        self._pending.append(words)
        # Merging sorts, and waits for the device: rarely.
        if sum(len(rows) for rows in self._pending) >= PENDING_ROWS:
            self._merge()

    def counts(self) -> np.ndarray:
        """Counts of the distinct tuples, over all processes, int64 in no particular order."""
        self._merge()
        if not is_distributed():
            return self._counts.cpu().numpy()
        return _collapse(*_gather(self._distinct, self._counts))[1].cpu().numpy()

    def _pack(self, codes: Tensor, levels: range) -> Tensor:
        word = torch.zeros_like(codes[:, 0])
        for level in levels:
            word = word * self._sizes[level] + codes[:, level]
        return word

    def _merge(self) -> None:
        if not self._pending:
            return
        new = torch.cat(self._pending)
        self._pending = []
        new = new[new[:, 0] >= 0]
        words = torch.cat([self._distinct, new])
        counts = torch.cat([self._counts, torch.ones_like(new[:, 0])])
        self._distinct, self._counts = _collapse(words, counts)


def _group(level_sizes: tuple[int, ...]) -> list[range]:
    """Consecutive levels whose sizes multiply to at most one word."""
    groups, start, product = [], 0, 1
    for level, size in enumerate(level_sizes):
        assert 1 <= size <= WORD, size
        if product * size > WORD:
            groups.append(range(start, level))
            start, product = level, 1
        product *= size
    return [*groups, range(start, len(level_sizes))]


def _collapse(words: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct rows of ``[N, W]`` and the sums of their counts.

    Columns are replaced by dense ranks and combined pairwise, because `torch.unique` over rows is
    some twenty times slower than over numbers.
    """
    if not len(words):
        return words, counts
    ids = words[:, 0]
    for column in words.T[1:]:
        _, left = torch.unique(ids, return_inverse=True)
        values, right = torch.unique(column, return_inverse=True)
        ids = left * len(values) + right
    distinct, inverse = torch.unique(ids, return_inverse=True)
    rows = words.new_empty(len(distinct), words.shape[1])
    rows[inverse] = words
    return rows, counts.new_zeros(len(distinct)).index_add_(0, inverse, counts)


def _gather(words: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of every process, one below the other, on every process."""
    sizes = counts.new_zeros(dist.get_world_size())
    sizes[dist.get_rank()] = len(counts)
    all_reduce(sizes)
    first = int(sizes[: dist.get_rank()].sum())
    everything = words.new_zeros(int(sizes.sum()), words.shape[1] + 1)
    everything[first : first + len(counts)] = torch.cat([words, counts[:, None]], dim=1)
    all_reduce(everything)
    return everything[:, :-1], everything[:, -1]
