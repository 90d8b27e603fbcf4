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
    Sampling keeps what the layers made of the positions before (Ramachandran et al., arXiv 1704.06001): all codes of an
    item take about the work of one pass.

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
        self.check_positions(self.positions)
        self.width = width
        self.codes = nn.Embedding(codebook_size, width)
        self.layers = nn.ModuleList(_Layer(width, self.told, first=number == 0) for number in range(layers))
        self.before = nn.Conv2d(width, head, 1)
        self.head = nn.Conv2d(head, codebook_size, 1)
        begin_uniform(self.head)

    @classmethod
    def check(cls, **options: Any) -> None:
        """Raise a `UsageError` where sizes are no whole numbers within reason."""
        check_layers(**options)

    @classmethod
    def check_positions(cls, positions: Sequence[int]) -> None:
        """Raise a `UsageError` unless they are on a grid of two axes."""
        if len(positions) != 2:
            raise UsageError(f"prior `pixelcnn` needs codes on a grid of two axes, not of {len(positions)}")

    def forward(self, index: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits ``[B, P, K]`` of every position of codes ``[B, P]``, each given those before it."""
        told = self._labels(len(index), labels, 1.0)
        vertical = horizontal = self.codes(index.reshape(-1, *self.positions)).movedim(-1, 1)
        for layer in self._each:
            vertical, horizontal = layer(vertical, horizontal, told)
        return self._said(horizontal).flatten(2).transpose(1, 2)

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
        told = self._labels(count, labels, guidance)
        height, width = self.positions
        above = [self._nothing(len(told), layer.reach + height, width) for layer in self._each]
        rows = []
        for row in range(height):
            across = self._across(above, row, told)
            rows.append(self._row(across, told, generator, temperature, guidance))
            above[0][:, :, FIRST_REACH + row] = self.codes(repeated(rows[-1], guidance)).movedim(-1, 1)
        return torch.cat(rows, dim=1)

    def _across(self, above: list[Tensor], row: int, told: Tensor) -> list[Tensor]:
        """What each vertical layer tells the horizontal one of a ``row``: ``[B, 2 · width, 1, W]``.

        ``above``: what each has seen, ``[B, width, reach + H, W]``; the row is written into those that follow.
        """
        found = []
        for number, layer in enumerate(self._each):
            down = layer.down(F.pad(above[number][:, :, row : row + layer.seen], (layer.reach, layer.reach)))
            found.append(layer.across(down))
            if number + 1 < len(above):
                above[number + 1][:, :, REACH + row] = layer.below(down, told)[:, :, 0]
        return found

    def _row(
        self, across: list[Tensor], told: Tensor, generator: torch.Generator, temperature: float, guidance: float
    ) -> Tensor:
        """Codes ``[count, W]`` of a row, one after another; ``across`` as `_across` answers it."""
        width, drawn = self.positions[1], []
        left = [self._nothing(len(told), 1, layer.reach + width) for layer in self._each]
        for column in range(width):
            made: Tensor | None = None
            for number, layer in enumerate(self._each):
                if made is not None:
                    left[number][..., REACH + column] = made[..., 0]
                right = layer.right(left[number][..., column : column + layer.seen])
                made = layer.beside(made, right, across[number][..., column : column + 1], told)
            assert made is not None
            drawn.append(self._chosen(self._said(made)[:, :, 0, 0], generator, temperature, guidance))
            left[0][:, :, 0, FIRST_REACH + column] = self.codes(repeated(drawn[-1], guidance))
        return torch.stack(drawn, dim=1)

    @property
    def _each(self) -> list["_Layer"]:
        return [layer for layer in self.layers if isinstance(layer, _Layer)]

    def _nothing(self, batch: int, height: int, width: int) -> Tensor:
        return torch.zeros(batch, self.width, height, width, device=self.device)

    def _said(self, horizontal: Tensor) -> Tensor:
        """Logits ``[B, K, H, W]`` of the horizontal stack ``[B, width, H, W]``."""
        logits: Tensor = self.head(F.relu(self.before(F.relu(horizontal))))
        return logits


class _Layer(nn.Module):
    """One gated layer: the vertical stack sees the rows above, the horizontal one also what is left of a position.

    The first layer sees neither its own row nor its own position.
    """

    def __init__(self, width: int, classes: int, *, first: bool) -> None:
        super().__init__()
        self.first, self.reach = first, FIRST_REACH if first else REACH
        self.seen = self.reach + (0 if first else 1)
        """Rows of the vertical kernel, and columns of the horizontal one."""
        self.down = nn.Conv2d(width, 2 * width, (self.seen, 2 * self.reach + 1))
        self.right = nn.Conv2d(width, 2 * width, (1, self.seen))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.told = nn.Embedding(classes, 2 * width)

    def forward(self, vertical: Tensor, horizontal: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks ``[B, width, H, W]``, one layer on."""
        (height, width), reach = vertical.shape[2:], self.reach
        down = self.down(F.pad(vertical, (reach, reach, reach, 0)))[:, :, :height]
        right = self.right(F.pad(horizontal, (reach, 0, 0, 0)))[:, :, :, :width]
        beside = self.beside(None if self.first else horizontal, right, self.across(down), labels)
        return self.below(down, labels), beside

    def below(self, down: Tensor, labels: Tensor) -> Tensor:
        """The vertical stack, one layer on."""
        return _gate(down + self._class(labels))

    def beside(self, horizontal: Tensor | None, right: Tensor, across: Tensor, labels: Tensor) -> Tensor:
        """The horizontal stack, one layer on; what it was is added unless it holds the codes themselves (None)."""
        made: Tensor = self.out(_gate(right + across + self._class(labels)))
        return made if horizontal is None else horizontal + made

    def _class(self, labels: Tensor) -> Tensor:
        told: Tensor = self.told(labels)
        return told[:, :, None, None]


def _gate(values: Tensor) -> Tensor:
    signal, gate = values.chunk(2, dim=1)
    return torch.tanh(signal) * torch.sigmoid(gate)
