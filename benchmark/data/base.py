"""What a data set is: three tensors of raw items and how they become the model's input."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


@dataclass
class Dataset:
    """Raw uint8 images ``[N, C, H, W]`` in three disjoint splits.

    ``provenance`` says where they came from: ``source``, ``licence``, counts, skipped files.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    provenance: dict[str, Any] = field(default_factory=dict)
    modality: str = "image"

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one item, ``(C, H, W)``."""
        return tuple(self.train.shape[1:])

    @cached_property
    def variance(self) -> float:
        """Variance of all training values in the model's units, [-1, 1]."""
        raw = self.train.flatten()
        histogram = torch.bincount(raw.int(), minlength=256).double()
        values = self.to_input(torch.arange(256, dtype=torch.uint8)).double()
        mean = (histogram * values).sum() / histogram.sum()
        return float((histogram * (values - mean).square()).sum() / histogram.sum())

    @staticmethod
    def to_input(items: Tensor) -> Tensor:
        """Raw items as fp32 in [-1, 1]."""
        return items.float() / 127.5 - 1
