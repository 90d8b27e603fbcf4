"""What a data set is: three tensors of raw items and how they become the model's input."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from methods.core.usage import check_count

Draw = Callable[[int, int, torch.Generator], Tensor]
"""(number of items, training step from 0, generator) -> raw items."""

CHUNK = 4096  # items converted at a time, so that statistics of a large set need little memory


class Labels(NamedTuple):
    """Classes int64 ``[N]``, from 0, of the items of each split, in their order."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass
class Dataset:
    """Raw uint8 images ``[N, C, H, W]`` in three disjoint splits.

    ``provenance`` says where they came from: ``source``, ``licence``, counts, skipped files. ``fresh``, where
    there is one, draws the items of every training step anew; ``train`` then is a sample for statistics and
    for quantizers that start from data. ``sample_rate``: of sound, in Hz. ``evaluation_batch``: items that fit an
    evaluation at once; ``probe_items``: validation items measured during a long training. ``test_groups``: where test
    items are cut from fewer things (photographs), which of them each is from, int64 ``[N]``. ``shown``: test items that
    samples show; without it some from all over the set. ``labels``: of items that have classes, read only when asked
    for; it raises a `UsageError` where they are nowhere to be had.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    provenance: dict[str, Any] = field(default_factory=dict)
    modality: str = "image"
    sample_rate: int | None = None
    fresh: Draw | None = None
    evaluation_batch: int = 128
    probe_items: int = 512
    test_groups: Tensor | None = None
    shown: Sequence[int] | None = None
    labels: Callable[[], Labels] | None = None

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one item, ``(C, H, W)``."""
        return tuple(self.train.shape[1:])

    @cached_property
    def variance(self) -> float:
        """Variance of all training values in the model's units, [-1, 1]."""
        histogram = torch.zeros(256, dtype=torch.int64)
        for chunk in self.train.split(CHUNK):
            histogram += torch.bincount(chunk.flatten(), minlength=256)
        values = self.to_input(torch.arange(256, dtype=torch.uint8)).double()
        mean = (histogram * values).sum() / histogram.sum()
        return float((histogram * (values - mean).square()).sum() / histogram.sum())

    @cached_property
    def test_sha256(self) -> str:
        """Hash of the raw test items, the key of everything cached about the originals."""
        return hashlib.sha256(self.test.numpy().tobytes()).hexdigest()

    @staticmethod
    def to_input(items: Tensor) -> Tensor:
        """Raw items as fp32 in [-1, 1]."""
        return items.float() / 127.5 - 1


def evenly(items: Tensor, count: int | None, what: str) -> Tensor:
    """``count`` of ``items``, evenly spaced and in order; all of them for None.

    Raises:
        UsageError: ``count`` (called ``what`` in the message) is no number from 1 to the number of items.
    """
    if count is None:
        return items
    check_count(what, count, len(items))
    return items[spaced(len(items), count)]


def spaced(total: int, count: int) -> Tensor:
    """``count`` indexes of ``total`` items, evenly spaced and in order."""
    return torch.arange(count) * total // count
