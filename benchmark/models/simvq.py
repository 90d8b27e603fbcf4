"""The autoencoder of SimVQ's repository: residual blocks without attention, depth-to-space upsampling."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.models import models
from benchmark.models.base import Autoencoder
from benchmark.models.parts.pyramid import (
    Decoder,
    Encoder,
    GroupNorm,
    ImageAutoencoder,
    Level,
    Shape,
    grid,
    residual_blocks,
    sized,
)

WHAT = "model `simvq`"
_blocks = partial(residual_blocks, bias=False)
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"channels": 16, "multipliers": [1, 2, 4], "blocks": 1, "latent_dim": 64},
    "small": {"channels": 64, "multipliers": [1, 2, 2, 4], "blocks": 1, "latent_dim": 64},
    # configs/imagenet_simvq_128_B.yaml
    "paper": {"channels": 128, "multipliers": [1, 2, 2, 4], "blocks": 2, "latent_dim": 128},
}


class DepthToSpace(nn.Module):
    """A convolution to 4 C channels, which become 2x2 pixels: channel ``(2 i + j) C + c`` is pixel (i, j)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, 4 * width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C, 2 H, 2 W]``."""
        deep = self.conv1(features).permute(0, 2, 3, 1).unflatten(3, (2, 2, -1))  # B, H, W, i, j, C
        return deep.transpose(2, 3).flatten(1, 2).flatten(2, 3).permute(0, 3, 1, 2)


class SimVQEncoder(Encoder):
    """The repository's ``improved_model.Encoder``: every convolution but the strided and the last has no bias."""

    def __init__(self, inputs: int, shape: Shape) -> None:
        super().__init__()
        base, self.recompute = shape.channels, shape.recompute
        self.conv_in = nn.Conv2d(inputs, base, 3, padding=1, bias=False)
        self.down = nn.ModuleList()
        for index, (before, width) in enumerate(pairwise(shape.widths), 1):
            built = _blocks(before, width, shape.blocks, base)
            way = nn.Conv2d(width, width, 3, stride=2, padding=1) if index < len(shape.multipliers) else None
            self.down.append(Level(built, downsample=way))
        width = shape.widths[-1]
        self.mid_block = nn.ModuleList(_blocks(width, width, shape.blocks, base))
        self.norm_out = GroupNorm(width, base)
        self.conv_out = nn.Conv2d(width, shape.dim, 1)

    def middle(self) -> list[nn.Module]:
        """As many blocks as a level has."""
        return list(self.mid_block)


class SimVQDecoder(Decoder):
    """The repository's ``improved_model.Decoder``."""

    def __init__(self, outputs: int, shape: Shape) -> None:
        super().__init__()
        base, self.recompute = shape.channels, shape.recompute
        width = shape.widths[-1]
        self.conv_in = nn.Conv2d(shape.dim, width, 3, padding=1)
        self.mid_block = nn.ModuleList(_blocks(width, width, shape.blocks, base))
        levels = []
        for index, multiplier in reversed(list(enumerate(shape.multipliers))):
            built = _blocks(width, base * multiplier, shape.blocks, base)
            width = base * multiplier
            levels.append(Level(built, upsample=DepthToSpace(width) if index else None))
        self.up = nn.ModuleList(reversed(levels))
        self.norm_out = GroupNorm(width, base)
        self.conv_out = nn.Conv2d(width, outputs, 3, padding=1)

    def middle(self) -> list[nn.Module]:
        """As many blocks as a level has."""
        return list(self.mid_block)


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `simvq` in numbers, or a UsageError."""
    return sized(WHAT, options, SIZES)


@models.register("simvq", checked, modality="image")
def simvq(
    *,
    size: str = "tiny",
    channels: int | None = None,
    multipliers: list[int] | None = None,
    blocks: int | None = None,
    latent_dim: int | None = None,
    recompute: bool = False,
    item_shape: tuple[int, ...],
) -> Autoencoder:
    """The autoencoder of SimVQ's repository (Zhu et al., arXiv 2411.02038), for images.

    ``size``: ``tiny`` (two cores, f4), ``small`` (f8) or ``paper`` (f8, D = 128), over which single numbers may be set:
    ``channels`` at full resolution, their ``multipliers``, one a resolution (n of them downsample by 2ⁿ⁻¹), ``blocks``
    a resolution. ``recompute`` keeps less of a step in memory and takes about a third longer. Names and shapes of its
    state are those of the authors' checkpoints.

    Raises:
        UsageError: sides that can't be halved so often.
    """
    numbers = checked({name: value for name, value in locals().items() if name != "item_shape"})
    positions = grid(WHAT, item_shape, numbers["multipliers"])
    shape = Shape.of(numbers)
    parts = SimVQEncoder(item_shape[0], shape), SimVQDecoder(item_shape[0], shape)
    model = ImageAutoencoder(*parts, shape.dim, positions)
    return model.to(memory_format=torch.channels_last)
