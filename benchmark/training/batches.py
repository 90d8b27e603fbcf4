"""Batches of a split: which items each training step sees, and how they reach the device."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmark.seeds import derive_seed


class Batches:
    """The indices of every training step, a pure function of ``(seed, step)``: the same for every arm.

    The stream of indices is one random permutation of all items after another, cut into batches without
    regard to where an epoch ends. So every batch is full, also where it is larger than the set, and a
    run goes on at any step without replaying the ones before it.
    """

    def __init__(self, num_items: int, batch_size: int, seed: int) -> None:
        assert num_items > 0
        assert batch_size > 0
        self.num_items = num_items
        self.batch_size = batch_size
        self.seed = seed
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def indices(self, step: int) -> Tensor:
        """Indices ``[batch_size]`` of the batch of ``step``, which counts from 0."""
        position = step * self.batch_size
        end = position + self.batch_size
        pieces = []
        while position < end:
            epoch, start = divmod(position, self.num_items)
            piece = self._permutation(epoch)[start : start + end - position]
            pieces.append(piece)
            position += len(piece)
        return torch.cat(pieces)

    def _permutation(self, epoch: int) -> Tensor:
        """The order of the items in ``epoch``; the last one is kept, for most steps need it again."""
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive_seed("batches", self.seed, epoch))
            self._order = torch.randperm(self.num_items, generator=generator)
            self._epoch = epoch
        return self._order


class DeviceSplit:
    """One split of raw items and the device that wants them as inputs.

    Where they fit, the raw items are moved to the device once; else they stay in main memory and each
    batch travels by itself. ``to_input`` is the data set's; it runs on the device, so that only raw
    bytes travel.
    """

    def __init__(self, items: Tensor, to_input: Callable[[Tensor], Tensor], device: torch.device) -> None:
        self.device = device
        self.resident = fits(items, device)
        self._items = items.to(device) if self.resident else items
        self._to_input = to_input

    def __len__(self) -> int:
        """Number of items."""
        return len(self._items)

    def batch(self, indices: Tensor) -> Tensor:
        """Inputs ``[B, ...]`` of the items at ``indices`` ``[B]``, which lie in main memory."""
        if self.resident:
            return self._to_input(self._items[indices.to(self.device)])
        return self._to_input(self._travel(self._items[indices]))

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        """Inputs of all items in order; the last batch holds what is left."""
        for piece in self._items.split(batch_size):
            yield self._to_input(piece if self.resident else self._travel(piece))

    def inputs(self, items: Tensor) -> Tensor:
        """Inputs of raw ``items`` from elsewhere, such as ones drawn for a single step."""
        return self._to_input(items.to(self.device) if self.resident else self._travel(items))

    def _travel(self, piece: Tensor) -> Tensor:
        """``piece`` on the device, through pinned memory so that the copy needn't be waited for."""
        return piece.pin_memory().to(self.device, non_blocking=True)


def fits(items: Tensor, device: torch.device) -> bool:
    """Whether raw ``items`` may live on ``device``: at most a quarter of what is free there on CUDA.

    The rest is left for the model, its activations and the splits that come after this one.
    """
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return items.numel() * items.element_size() <= free // 4
