"""The prior that all arms share: a decoder-only transformer over joint codes, its layers those of x-transformers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.priors.causal import CausalPrior, check_decoder


class TransformerPrior(CausalPrior):
    """As `CausalPrior`, with a learned embedding of the joint index and a softmax over all joint codes.

    Args:
        digits: joint codes K.
        positions: shape of the grid of one item.
        classes, guided: as `Prior` has them.
        layers, width, heads: size of the transformer.
        dropout: of what attention and feed-forward layers add.

    Raises:
        UsageError: x-transformers is not installed, or ``width`` can't be divided among ``heads``.
    """

    version = 1

    def __init__(
        self,
        digits: Sequence[int],
        positions: Sequence[int],
        *,
        classes: int = 0,
        guided: bool = False,
        layers: int = 4,
        width: int = 128,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(digits, positions, classes=classes, guided=guided)
        self.check(layers=layers, width=width, heads=heads, dropout=dropout)
        (codebook_size,) = self.digits
        self.codes = nn.Embedding(codebook_size, width)
        self._build(width, layers, heads, dropout)
        self.head = nn.Linear(width, codebook_size)
        self._begin([self.codes], [self.head])

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where sizes don't fit, or x-transformers is not installed."""
        check_decoder(**options)

    def forward(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits ``[B, P, K]`` of every position of codes ``[B, P]``, each given those before it."""
        logits: Tensor = self.head(self._hidden(index, labels))
        return logits

    def _embed(self, codes: Tensor) -> Tensor:
        embedded: Tensor = self.codes(codes)
        return embedded

    def _draw(self, hidden: Tensor, generator: torch.Generator, temperature: float, guidance: float) -> Tensor:
        return self._chosen(self.head(hidden), generator, temperature, guidance)
