"""The native track: a softmax for each level, digit or bit of a code, in place of one for all joint codes."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.priors.base import repeated
from benchmark.priors.causal import CausalPrior, check_decoder, decoder, forwarded
from benchmark.priors.joint_codes import digits_of, number_of


class NativePrior(CausalPrior):
    """As `CausalPrior`; the digits of a position are predicted one after another by a small transformer over depth.

    A code enters as the sum of its digits' embeddings. Over depth, what the large transformer says of the position
    stands first, then the digits that are known; a softmax a digit. Lee et al. (RQ-Transformer, arXiv 2203.01941) have
    this for residual codes; channels of FSQ and bits of LFQ and BSQ are digits of the same kind.

    Args:
        digits: sizes of the digits of a joint code, the highest first.
        positions: shape of the grid of one item.
        classes, guided: as `Prior` has them.
        layers, width, heads: size of the transformer over positions.
        depth_layers, depth_width, depth_heads: of the one over digits.
        dropout: of what attention and feed-forward layers of both add.

    Raises:
        UsageError: x-transformers is not installed, or a width can't be divided among its heads.
    """

    version = 1
    native = True
    codes: nn.ModuleList
    head: nn.ModuleList

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
        depth_layers: int = 1,
        depth_width: int = 64,
        depth_heads: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(digits, positions, classes=classes, guided=guided)
        self.check(
            **{"layers": layers, "width": width, "heads": heads, "dropout": dropout},
            **{"depth_layers": depth_layers, "depth_width": depth_width, "depth_heads": depth_heads},
        )
        over_positions, over_depth = ([nn.Embedding(size, each) for size in digits] for each in (width, depth_width))
        self.codes = nn.ModuleList([*over_positions, *over_depth[:-1], nn.Embedding(len(digits), depth_width)])
        self._build(width, layers, heads, dropout)
        self.to_depth = nn.Linear(width, depth_width)
        self.over_depth = decoder(depth_width, depth_layers, depth_heads, dropout)
        self.head = nn.ModuleList(nn.Linear(depth_width, size) for size in digits)
        self._begin(self.codes, self.head)

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where sizes don't fit, or x-transformers is not installed."""
        for begins in ("", "depth_"):
            sizes = {name: options[f"{begins}{name}"] for name in ("width", "layers", "heads")}
            check_decoder(**sizes, dropout=options["dropout"])

    def nats(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """−log P of every code ``[B, P]`` given those before it: the sum over its digits."""
        digits = digits_of(index, self.digits)
        first = self.to_depth(self._hidden(index, labels))[..., None, :]
        known = [self._known(level, digits[..., level])[..., None, :] for level in range(len(self.digits) - 1)]
        inputs = torch.cat([first, *known], dim=-2) + self._depths
        said = self.over_depth(inputs.flatten(0, 1)).float().unflatten(0, index.shape)
        each = [
            F.cross_entropy(head(said[..., level, :]).movedim(-1, 1), digits[..., level], reduction="none")
            for level, head in enumerate(self.head)
        ]
        return torch.stack(each).sum(0)

    def _embed(self, codes: Tensor) -> Tensor:
        digits = digits_of(codes, self.digits).unbind(-1)
        embedded: Tensor = sum(table(digit) for table, digit in zip(self.codes, digits, strict=False))
        return embedded

    def _draw(self, hidden: Tensor, generator: torch.Generator, temperature: float, guidance: float) -> Tensor:
        inputs, drawn, cache = self.to_depth(hidden), [], None
        for level, head in enumerate(self.head):
            said, cache = forwarded(self.over_depth, (inputs + self._depths[level])[:, None], cache)
            drawn.append(self._chosen(head(said), generator, temperature, guidance))
            if level + 1 < len(self.digits):
                inputs = self._known(level, repeated(drawn[-1], guidance))
        return number_of(torch.stack(drawn, dim=-1), self.digits)

    def _known(self, level: int, digits: Tensor) -> Tensor:
        """What the transformer over depth sees of digits that come before others."""
        seen: Tensor = self.codes[len(self.digits) + level](digits)
        return seen

    @property
    def _depths(self) -> Tensor:
        """Of every digit ``[L, depth_width]``."""
        table = self.codes[-1]
        assert isinstance(table, nn.Embedding)
        return table.weight
