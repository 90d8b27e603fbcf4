"""The VQGAN of taming-transformers: residual blocks with attention, nearest-neighbour upsampling."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.models import models
from benchmark.models.base import Autoencoder
from benchmark.models.parts.pyramid import (
    Decoder,
    Encoder,
    GroupNorm,
    ImageAutoencoder,
    Level,
    ResidualBlock,
    Shape,
    grid,
    residual_blocks,
    sized,
)
from methods.core.usage import UsageError

WHAT = "model `vqgan`"
_blocks = partial(residual_blocks, bias=True)
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"channels": 16, "multipliers": [1, 2, 4], "blocks": 1, "latent_dim": 64},
    "small": {"channels": 64, "multipliers": [1, 2, 2, 4], "blocks": 1, "latent_dim": 64},
    # configs/imagenet_vqgan.yaml
    "paper": {"channels": 128, "multipliers": [1, 1, 2, 2, 4], "blocks": 2, "latent_dim": 256},
}


class Attention(nn.Module):
    """One head over all positions, with 1x1 convolutions, added to the input."""

    def __init__(self, width: int, base: int) -> None:
        super().__init__()
        self.norm = GroupNorm(width, base)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]``, same shape."""
        normed = self.norm(features)
        query, key, value = (part(normed).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(query, key, value)
        return features + self.proj_out(mixed.transpose(1, 2).reshape(features.shape))


class Downsample(nn.Module):
    """3x3 with stride 2, padded on the right and below alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C, H / 2, W / 2]``."""
        return self.conv(F.pad(features, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Every pixel four times, then 3x3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C, 2 H, 2 W]``."""
        return self.conv(F.interpolate(features, scale_factor=2.0, mode="nearest"))


class Middle(nn.Module):
    """Block, attention, block."""

    def __init__(self, width: int, base: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width, base, bias=True)
        self.attn_1 = Attention(width, base)
        self.block_2 = ResidualBlock(width, width, base, bias=True)

    def parts(self) -> list[nn.Module]:
        """In their order."""
        return [self.block_1, self.attn_1, self.block_2]


def _attention(width: int, count: int, base: int, attends: bool) -> list[Attention]:
    return [Attention(width, base) for _ in range(count)] if attends else []


class VQGANEncoder(Encoder):
    """The repository's ``model.Encoder``."""

    def __init__(self, inputs: int, shape: Shape) -> None:
        super().__init__()
        base, self.recompute = shape.channels, shape.recompute
        self.conv_in = nn.Conv2d(inputs, base, 3, padding=1)
        self.down = nn.ModuleList()
        for index, (before, width) in enumerate(pairwise(shape.widths)):
            way = Downsample(width) if index + 1 < len(shape.multipliers) else None
            attention = _attention(width, shape.blocks, base, shape.attention[index])
            self.down.append(Level(_blocks(before, width, shape.blocks, base), attention, downsample=way))
        width = shape.widths[-1]
        self.mid = Middle(width, base)
        self.norm_out = GroupNorm(width, base)
        self.conv_out = nn.Conv2d(width, shape.dim, 3, padding=1)

    def middle(self) -> list[nn.Module]:
        """Block, attention, block."""
        return self.mid.parts()


class VQGANDecoder(Decoder):
    """The repository's ``model.Decoder``, which has a block more at each resolution than the encoder."""

    def __init__(self, outputs: int, shape: Shape) -> None:
        super().__init__()
        base, blocks, self.recompute = shape.channels, shape.blocks + 1, shape.recompute
        width = shape.widths[-1]
        self.conv_in = nn.Conv2d(shape.dim, width, 3, padding=1)
        self.mid = Middle(width, base)
        levels = []
        for index, multiplier in reversed(list(enumerate(shape.multipliers))):
            built = _blocks(width, base * multiplier, blocks, base)
            width = base * multiplier
            attention = _attention(width, blocks, base, shape.attention[index])
            levels.append(Level(built, attention, upsample=Upsample(width) if index else None))
        self.up = nn.ModuleList(reversed(levels))
        self.norm_out = GroupNorm(width, base)
        self.conv_out = nn.Conv2d(width, outputs, 3, padding=1)

    def middle(self) -> list[nn.Module]:
        """Block, attention, block."""
        return self.mid.parts()


class VQGAN(ImageAutoencoder):
    """Encoder and decoder with a 1x1 convolution on either side of the quantizer, or none."""

    def __init__(
        self, encoder: Encoder, decoder: Decoder, latent_dim: int, positions: tuple[int, int], quant_conv: bool
    ) -> None:
        super().__init__(encoder, decoder, latent_dim, positions)
        self.quant_conv: nn.Module = nn.Conv2d(latent_dim, latent_dim, 1) if quant_conv else nn.Identity()
        self.post_quant_conv: nn.Module = nn.Conv2d(latent_dim, latent_dim, 1) if quant_conv else nn.Identity()

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, H', W', D]`` of images ``[B, C, H, W]``."""
        return self.quant_conv(super().encode(items).movedim(-1, 1)).movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` of latents ``[B, H', W', D]``."""
        return super().decode(self.post_quant_conv(latents.movedim(-1, 1)).movedim(1, -1))


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `vqgan` in numbers, or a UsageError."""
    sides = options["attention"]
    if sides is not None and not (isinstance(sides, list) and all(isinstance(side, int) for side in sides)):
        raise UsageError(f"{WHAT}: attention must be a list of resolutions in pixels, not {sides!r}")
    if not isinstance(quant_conv := options.get("quant_conv", True), bool):
        raise UsageError(f"{WHAT}: quant_conv must be true or false, not {quant_conv!r}")
    return sized(WHAT, options, {name: {**size, "attention": None} for name, size in SIZES.items()})


def _attends(sides: list[int] | None, height: int, levels: int) -> list[bool]:
    """For each resolution whether it is among ``sides``; without any said, the lowest alone."""
    resolutions = [height >> level for level in range(levels)]
    for side in sides or []:
        if side not in resolutions:
            raise UsageError(
                f"{WHAT}: attention at {side} pixels, a resolution that does not occur; images of {height} pixels have "
                f"{', '.join(map(str, resolutions))}"
            )
    return [resolution in ([resolutions[-1]] if sides is None else sides) for resolution in resolutions]


@models.register("vqgan", checked, modality="image", added=("quant_conv",))
def vqgan(
    *,
    size: str = "tiny",
    channels: int | None = None,
    multipliers: list[int] | None = None,
    blocks: int | None = None,
    attention: list[int] | None = None,
    latent_dim: int | None = None,
    recompute: bool = False,
    quant_conv: bool = True,
    item_shape: tuple[int, ...],
) -> Autoencoder:
    """The VQGAN of taming-transformers (Esser et al., arXiv 2012.09841), for images.

    ``size``: ``tiny`` (two cores, f4), ``small`` (f8) or ``paper`` (f16, D = 256), over which numbers may be set:
    ``channels`` at full resolution, their ``multipliers``, one a resolution (n of them downsample by 2ⁿ⁻¹), ``blocks``
    a resolution. ``attention``: the resolutions, by their height in pixels, that have it besides the middle, which
    always does; the lowest alone unless said. ``quant_conv``: a 1x1 convolution on either side of the quantizer; a
    method that projects by itself needs none, as ``factorized_vq`` in LlamaGen's tokenizer. ``recompute`` keeps less of
    a step in memory and takes about a third longer. Names and shapes of its state are those of the authors'
    checkpoints.

    Raises:
        UsageError: sides that can't be halved so often, attention at a resolution that does not occur.
    """
    numbers = checked({name: value for name, value in locals().items() if name != "item_shape"})
    positions = grid(WHAT, item_shape, numbers["multipliers"])
    attends = _attends(attention, item_shape[1], len(numbers["multipliers"]))
    shape = Shape.of(numbers, attends)
    parts = VQGANEncoder(item_shape[0], shape), VQGANDecoder(item_shape[0], shape)
    model = VQGAN(*parts, shape.dim, positions, quant_conv)
    return model.to(memory_format=torch.channels_last)
