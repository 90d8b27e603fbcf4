"""What a prior is: a model of the joint codes of an item, position after position, whose sum over all items is 1."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.core.usage import UsageError, check_count

MOST_LAYERS, MOST_WIDTH = 256, 65_536


class Prior(nn.Module):
    """p(codes | class) = Π p(code | codes before, class) in raster order.

    ``version``: part of a run's key; another one gives other numbers. A subclass sets ``codes``, the embedding of
    codes, and ``head``, the last layer before the softmax, which alone depend on K.

    Args:
        codebook_size: joint codes K.
        positions: shape of the grid of one item.
        classes: of the items; 0 for a prior that is told none.
    """

    version: ClassVar[int]
    codes: nn.Embedding
    head: nn.Linear | nn.Conv2d

    def __init__(self, codebook_size: int, positions: Sequence[int], *, classes: int = 0, **_: Any) -> None:
        super().__init__()
        self.codebook_size, self.positions, self.classes = codebook_size, tuple(positions), classes
        self.length = math.prod(self.positions)

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where ``options`` don't fit together, or a package is missing."""

    def forward(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits ``[B, P, K]`` of every position of codes ``[B, P]``, each given those before it."""
        raise NotImplementedError

    def sample(
        self, count: int, generator: torch.Generator, labels: Tensor | None = None, temperature: float = 1.0
    ) -> Tensor:
        """``count`` items of codes ``[count, P]``, nothing cut off; logits are divided by ``temperature``.

        ``generator`` and ``labels [count]`` are on the device of the weights. Call it in eval mode.
        """
        raise NotImplementedError

    def apart_from_codes(self) -> int:
        """Weights without those of embedding and head, which alone depend on K."""
        apart = {id(parameter) for part in (self.codes, self.head) for parameter in part.parameters()}
        return sum(parameter.numel() for parameter in self.parameters() if id(parameter) not in apart)

    def nats(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """−log P of every code ``[B, P]`` given those before it."""
        logits = self(index, labels).float()
        return F.cross_entropy(logits.transpose(1, 2), index, reduction="none")

    def _begin_uniform(self) -> None:
        """What the prior at first says of codes is known: log K."""
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def _check_labels(self, labels: Tensor | None) -> None:
        assert (labels is not None) == (self.classes > 0), "a prior is told classes exactly where it knows some"


def check_layers(**counts: int) -> None:
    """Raise a `UsageError` unless sizes of a prior are whole numbers within reason."""
    for name, count in counts.items():
        check_count(f"prior: `{name}`", count, MOST_LAYERS if name == "layers" else MOST_WIDTH)


def check_dropout(dropout: float) -> None:
    """Raise a `UsageError` unless it is a share below 1."""
    if not 0 <= dropout < 1:
        raise UsageError(f"prior: `dropout` must be at least 0 and below 1, not {dropout!r}")
