"""What priors with causal attention share: the layers of x-transformers, what stands first, places, sampling."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.priors.base import Prior, begin_uniform, check_dropout, check_layers, repeated
from methods.core.usage import UsageError


def decoder(width: int, layers: int, heads: int, dropout: float) -> Any:
    """x-transformers' causal layers, ``[B, P, width]`` to ``[B, P, width]``, with pre-normalisation.

    Raises:
        UsageError: the extra that has them is not installed.
    """
    return _class()(
        dim=width,
        depth=layers,
        heads=heads,
        attn_dim_head=width // heads,
        attn_flash=True,
        pre_norm=True,
        attn_sublayer_dropout=dropout,
        ff_sublayer_dropout=dropout,
    )


def check_decoder(width: int, layers: int, heads: int, dropout: float) -> None:
    """Raise a `UsageError` where sizes don't fit, or x-transformers is not installed."""
    check_layers(layers=layers, width=width, heads=heads)
    check_dropout(dropout)
    if width % heads:
        raise UsageError(f"a prior of width {width} can't be divided among {heads} heads")
    _class()


def forwarded(layers: Any, inputs: Tensor, cache: Any) -> tuple[Tensor, Any]:
    """One position further: outputs ``[B, width]`` of ``inputs [B, 1, width]``, and the cache with it."""
    hidden, cache = layers(inputs, cache=cache, return_hiddens=True, input_not_include_cache=True)
    return hidden[:, -1], cache


class CausalPrior(Prior):
    """Causal attention and feed-forward layers over positions, sampled with a key-value cache.

    A learned embedding of the class stands first; learned positions, one table an axis of the grid, of the code that is
    predicted. A subclass says how a code enters (`_embed`) and how one is drawn (`_draw`).
    """

    first: nn.Embedding
    axes: nn.ModuleList
    layers: nn.Module

    def _build(self, width: int, layers: int, heads: int, dropout: float) -> None:
        self.first = nn.Embedding(self.told, width)
        self.axes = nn.ModuleList(nn.Embedding(side, width) for side in self.positions)
        self.layers = decoder(width, layers, heads, dropout)

    def _begin(self, codes: Iterable[nn.Module], heads: Iterable[nn.Module]) -> None:
        """Small embeddings of ``codes``, class and places, and a softmax that knows nothing yet behind each head."""
        for table in (*codes, self.first, *self.axes):
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=0.02)
        for head in heads:
            assert isinstance(head, nn.Linear)
            begin_uniform(head)

    def _embed(self, codes: Tensor) -> Tensor:
        """``[..., width]`` of joint codes ``[...]``."""
        raise NotImplementedError

    def _draw(self, hidden: Tensor, generator: torch.Generator, temperature: float, guidance: float) -> Tensor:
        """Joint codes ``[count]`` by what the layers say of a position: ``[count, width]``, twice where guided."""
        raise NotImplementedError

    def _hidden(self, index: Tensor, labels: Tensor | None) -> Tensor:
        """What the layers say of every position of codes ``[B, P]``, each by those before it: ``[B, P, width]``."""
        assert index.shape[1] == self.length, (index.shape, self.length)
        start = self.first(self._labels(len(index), labels, 1.0))[:, None]
        hidden: Tensor = self.layers(torch.cat([start, self._embed(index[:, :-1])], dim=1) + self._places())
        return hidden

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        labels: Tensor | None = None,
        temperature: float = 1.0,
        guidance: float = 1.0,
    ) -> Tensor:
        """``count`` items of codes ``[count, P]`` with a cache of keys and values; as `Prior.sample`."""
        places, drawn, cache = self._places(), [], None
        inputs = self.first(self._labels(count, labels, guidance))[:, None]
        for position in range(self.length):
            hidden, cache = forwarded(self.layers, inputs + places[position], cache)
            drawn.append(self._draw(hidden, generator, temperature, guidance))
            inputs = self._embed(repeated(drawn[-1], guidance))[:, None]
        return torch.stack(drawn, dim=1)

    def _places(self) -> Tensor:
        """Of every position, in raster order ``[P, width]``."""
        total: Tensor | None = None
        for table in self.axes:
            assert isinstance(table, nn.Embedding)
            total = table.weight if total is None else total[..., None, :] + table.weight
        assert total is not None
        return total.reshape(self.length, -1)


def _class() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of PyTorch, of how the package compiles a function
            from x_transformers import Decoder
    except ImportError as error:
        raise UsageError(
            "priors need x-transformers, of the extra [generation]: pip install 'codebook-bench[generation]'"
        ) from error
    return Decoder
