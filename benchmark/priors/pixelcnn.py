"""A second prior, gated PixelCNN, to see whether the order of arms is that of the codes or of the transformer."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.priors.base import Prior, begin_uniform, check_layers, repeated
from methods.core.usage import UsageError

REACH, FIRST_REACH = 1, 3
"""Positions to each side that a layer sees, and the first one: kernels of 3 and of 7."""


class PixelCNNPrior(Prior):
    """Gated convolutions of a vertical and a horizontal stack (van den Oord et al., arXiv 1606.05328, section 2).

    Sizes as in the prior of VQ-VAE and of the works that compare by it: 15 layers of 64. The class enters every gate.
    Sampling has no cache: each code takes a pass over the rows down to its own.

    Args:
        digits: joint codes K.
        positions: height and width of the grid of one item.
        classes, guided: as `Prior` has them.
        layers, width: of the stacks.
        head: channels before the softmax.

    Raises:
        UsageError: the codes of an item are on no grid of two axes.
    """

    version = 1

    def __init__(
        self,
        digits: Sequence[int],
        positions: Sequence[int],
        *,
        classes: int = 0,
        guided: bool = False,
        layers: int = 15,
        width: int = 64,
        head: int = 512,
    ) -> None:
        super().__init__(digits, positions, classes=classes, guided=guided)
        (codebook_size,) = self.digits
        if len(self.positions) != 2:
            raise UsageError(f"prior `pixelcnn` needs codes on a grid of two axes, not of {len(self.positions)}")
        self.codes = nn.Embedding(codebook_size, width)
        self.layers = nn.ModuleList(_Layer(width, self.told, first=number == 0) for number in range(layers))
        self.before = nn.Conv2d(width, head, 1)
        self.head = nn.Conv2d(head, codebook_size, 1)
        begin_uniform(self.head)

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where sizes are no whole numbers within reason."""
        check_layers(**options)

    def forward(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits ``[B, P, K]`` of every position of codes ``[B, P]``, each given those before it."""
        told = self._labels(len(index), labels, 1.0)
        return self._logits(index.reshape(-1, *self.positions), told).flatten(2).transpose(1, 2)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        labels: Tensor | None = None,
        temperature: float = 1.0,
        guidance: float = 1.0,
    ) -> Tensor:
        """As `Prior.sample`."""
        height, width = self.positions
        told = self._labels(count, labels, guidance)
        drawn = torch.zeros(count, height, width, dtype=torch.int64, device=self.device)
        for row in range(height):
            for column in range(width):
                logits = self._logits(repeated(drawn[:, : row + 1], guidance), told)[:, :, row, column]
                drawn[:, row, column] = self._chosen(logits, generator, temperature, guidance)
        return drawn.flatten(1)

    def _logits(self, grid: Tensor, labels: Tensor) -> Tensor:
        """``[B, K, rows, columns]`` of codes ``[B, rows, columns]``, the first rows of an item."""
        vertical = horizontal = self.codes(grid).movedim(-1, 1)
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, labels)
        logits: Tensor = self.head(F.relu(self.before(F.relu(horizontal))))
        return logits


class _Layer(nn.Module):
    """One gated layer: the vertical stack sees the rows above, the horizontal one also what is left of a position.

    The first layer sees neither its own row nor its own position.
    """

    def __init__(self, width: int, classes: int, *, first: bool) -> None:
        super().__init__()
        self.first, self.reach = first, FIRST_REACH if first else REACH
        own = 0 if first else 1
        self.down = nn.Conv2d(width, 2 * width, (self.reach + own, 2 * self.reach + 1))
        self.right = nn.Conv2d(width, 2 * width, (1, self.reach + own))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.told = nn.Embedding(classes, 2 * width)

    def forward(self, vertical: Tensor, horizontal: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks ``[B, width, H, W]``, one layer on."""
        height, width, told = *vertical.shape[2:], self.told(labels)[:, :, None, None]
        reach = self.reach
        down = self.down(F.pad(vertical, (reach, reach, reach, 0)))[:, :, :height]
        right = self.right(F.pad(horizontal, (reach, 0, 0, 0)))[:, :, :, :width]
        made = self.out(_gate(right + self.across(down) + told))
        return _gate(down + told), made if self.first else horizontal + made


def _gate(values: Tensor) -> Tensor:
    signal, gate = values.chunk(2, dim=1)
    return torch.tanh(signal) * torch.sigmoid(gate)
