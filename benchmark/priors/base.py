"""What a prior is: a model of the joint codes of an item, position after position, whose sum over all items is 1."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.core.usage import MOST_LAYERS, MOST_WIDTH, UsageError, check_count


class Prior(nn.Module):
    """p(codes | class) = Π p(code | codes before, class) in raster order.

    ``version``: part of a run's key; another one gives other numbers. ``native``: it has a softmax for each digit of a
    joint code (`JointCodes`) in place of one for all, and its ``digits`` are several. A subclass sets ``codes``, the
    embedding of codes, and ``head``, what comes before the softmax, which alone depend on K.

    Args:
        digits: sizes of the digits of a joint code, whose product is K; K alone for a prior that is not native.
        positions: shape of the grid of one item.
        classes: of the items; 0 for a prior that is told none.
        guided: it is also told no class, by the label ``classes``, so that `sample` can guide it.
    """

    version: ClassVar[int]
    native: ClassVar[bool] = False
    codes: nn.Module
    head: nn.Module

    def __init__(
        self, digits: Sequence[int], positions: Sequence[int], *, classes: int = 0, guided: bool = False, **_: Any
    ) -> None:
        super().__init__()
        assert self.native or len(digits) == 1, "one softmax holds all joint codes"
        assert classes or not guided, "a prior that is told no class can't be guided by one"
        self.digits, self.positions, self.classes = tuple(digits), tuple(positions), classes
        self.length = math.prod(self.positions)
        self.told = max(1, classes + guided)
        """Labels that there are, one for none among them."""

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where ``options`` don't fit together, or a package is missing."""

    @classmethod
    def check_positions(cls, positions: Sequence[int]) -> None:
        """Raise a `UsageError` where codes at ``positions``, the shape of the grid of one item, can't be modelled."""

    def forward(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits ``[B, P, K]`` of every position of codes ``[B, P]``, each given those before it."""
        raise NotImplementedError

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        labels: Tensor | None = None,
        temperature: float = 1.0,
        guidance: float = 1.0,
    ) -> Tensor:
        """``count`` items of codes ``[count, P]``, nothing cut off; logits are divided by ``temperature``.

        ``guidance`` γ other than 1 takes logits without a class + γ · (logits with it − those without) (Ho & Salimans,
        arXiv 2207.12598, with w = γ − 1). ``generator`` and ``labels [count]`` are on the device of the weights. Call
        it in eval mode.
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

    def _labels(self, count: int, labels: Tensor | None, guidance: float) -> Tensor:
        """What the prior is told of items that are drawn ``[count]``, and behind it none where it is guided."""
        self._check_labels(labels)
        told = torch.zeros(count, dtype=torch.int64, device=self.device) if labels is None else labels
        if guidance == 1:
            return told
        assert self.told > self.classes > 0, "only a prior that was also told no class can be guided"
        return torch.cat([told, torch.full_like(told, self.classes)])

    @staticmethod
    def _chosen(logits: Tensor, generator: torch.Generator, temperature: float, guidance: float) -> Tensor:
        """Codes ``[count]`` of logits ``[count, K]``, or ``[2 · count, K]`` where they are guided."""
        logits = logits.float()
        if guidance != 1:
            told, none = logits.chunk(2)
            logits = none + guidance * (told - none)
        return torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)[:, 0]

    @property
    def device(self) -> torch.device:
        """Of the weights."""
        return next(self.parameters()).device

    def _check_labels(self, labels: Tensor | None) -> None:
        assert (labels is not None) == (self.classes > 0), "a prior is told classes exactly where it knows some"


def begin_uniform(head: nn.Linear | nn.Conv2d) -> None:
    """What a prior at first says of codes is known: log K."""
    nn.init.zeros_(head.weight)
    assert head.bias is not None
    nn.init.zeros_(head.bias)


def repeated(codes: Tensor, guidance: float) -> Tensor:
    """Codes that were drawn, a second time for the half that is told no class where they are guided."""
    return codes if guidance == 1 else torch.cat([codes, codes])


def check_layers(**counts: int) -> None:
    """Raise a `UsageError` unless sizes of a prior are whole numbers within reason."""
    for name, count in counts.items():
        check_count(f"prior: `{name}`", count, MOST_LAYERS if name == "layers" else MOST_WIDTH)


def check_dropout(dropout: float) -> None:
    """Raise a `UsageError` unless it is a share below 1."""
    if not 0 <= dropout < 1:
        raise UsageError(f"prior: `dropout` must be at least 0 and below 1, not {dropout!r}")
