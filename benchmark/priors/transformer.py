"""The prior that all arms share: a decoder-only transformer over joint codes, its layers those of x-transformers."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.priors.base import Prior, check_dropout, check_layers
from methods.core.usage import UsageError


def _decoder() -> Any:
    """x-transformers' causal layers.

    Raises:
        UsageError: the extra that has them is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of PyTorch, of how the package compiles a function
            from x_transformers import Decoder
    except ImportError as error:
        raise UsageError(
            "priors need x-transformers, of the extra [generation]: pip install 'codebook-bench[generation]'"
        ) from error
    return Decoder


class TransformerPrior(Prior):
    """Causal attention and feed-forward layers with pre-normalisation, sampled with a key-value cache.

    A learned embedding of the joint index and of the class, which stands first; learned positions, one table an axis of
    the grid, of the code that is predicted; a softmax over all joint codes.

    Args:
        codebook_size: joint codes K.
        positions: shape of the grid of one item.
        classes: of the items; 0 for a prior that is told none.
        layers, width, heads: size of the transformer.
        dropout: of what attention and feed-forward layers add.

    Raises:
        UsageError: x-transformers is not installed, or ``width`` can't be divided among ``heads``.
    """

    version = 1

    def __init__(
        self,
        codebook_size: int,
        positions: Sequence[int],
        *,
        classes: int = 0,
        layers: int = 4,
        width: int = 128,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(codebook_size, positions, classes=classes)
        self.check(layers=layers, width=width, heads=heads, dropout=dropout)
        self.codes = nn.Embedding(codebook_size, width)
        self.first = nn.Embedding(max(1, classes), width)
        self.axes = nn.ModuleList(nn.Embedding(side, width) for side in self.positions)
        self.layers = _decoder()(
            dim=width,
            depth=layers,
            heads=heads,
            attn_dim_head=width // heads,
            attn_flash=True,
            pre_norm=True,
            attn_sublayer_dropout=dropout,
            ff_sublayer_dropout=dropout,
        )
        self.head = nn.Linear(width, codebook_size)
        for table in (self.codes, self.first, *self.axes):
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=0.02)
        self._begin_uniform()

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where sizes don't fit, or x-transformers is not installed."""
        width, heads = options["width"], options["heads"]
        check_layers(layers=options["layers"], width=width, heads=heads)
        check_dropout(options["dropout"])
        if width % heads:
            raise UsageError(f"a prior of width {width} can't be divided among {heads} heads")
        _decoder()

    def forward(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits ``[B, P, K]`` of every position of codes ``[B, P]``, each given those before it."""
        assert index.shape[1] == self.length, (index.shape, self.length)
        inputs = torch.cat([self._start(len(index), labels), self.codes(index[:, :-1])], dim=1) + self._places()
        logits: Tensor = self.head(self.layers(inputs))
        return logits

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator, labels: Tensor | None = None, temperature: float = 1.0
    ) -> Tensor:
        """``count`` items of codes ``[count, P]`` with a cache of keys and values; as `Prior.sample`."""
        places, drawn = self._places(), []
        inputs, cache = self._start(count, labels), None
        for position in range(self.length):
            step: Any = self.layers(
                inputs + places[position], cache=cache, return_hiddens=True, input_not_include_cache=True
            )
            hidden, cache = step
            shares = (self.head(hidden[:, -1]).float() / temperature).softmax(1)
            drawn.append(torch.multinomial(shares, 1, generator=generator))
            inputs = self.codes(drawn[-1])
        return torch.cat(drawn, dim=1)

    def _start(self, count: int, labels: Tensor | None) -> Tensor:
        """What stands before the first code, ``[count, 1, width]``."""
        self._check_labels(labels)
        if labels is None:
            labels = torch.zeros(count, dtype=torch.int64, device=self.head.weight.device)
        start: Tensor = self.first(labels)[:, None]
        return start

    def _places(self) -> Tensor:
        """Of every position, in raster order ``[P, width]``."""
        total: Tensor | None = None
        for table in self.axes:
            assert isinstance(table, nn.Embedding)
            total = table.weight if total is None else total[..., None, :] + table.weight
        assert total is not None
        return total.reshape(self.length, -1)
