"""What the image autoencoders of residual blocks share: named sizes and their checks, blocks, the walk of levels."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from benchmark.models.base import Autoencoder
from methods.core.usage import MOST_LAYERS, MOST_WIDTH, UsageError, check_choice, check_count

GROUPS = 32
CHANNELS_A_GROUP = 4
Size = Mapping[str, Any]


def sized(what: str, options: dict[str, Any], sizes: Mapping[str, Size]) -> dict[str, Any]:
    """``options`` without their ``size``: what it stands for, under what is said besides.

    Raises:
        UsageError: no such size, or a number that is unfit.
    """
    check_choice(f"{what}: size", options["size"], tuple(sizes))
    named = sizes[options["size"]]
    found = {name: named[name] if value is None else value for name, value in options.items() if name != "size"}
    for name, most in (("channels", MOST_WIDTH), ("blocks", MOST_LAYERS), ("latent_dim", None)):
        check_count(f"{what}: {name}", found[name], most)
    if found["channels"] % CHANNELS_A_GROUP:
        raise UsageError(f"{what}: channels must be a multiple of {CHANNELS_A_GROUP}, not {found['channels']}")
    multipliers = found["multipliers"]
    if not isinstance(multipliers, list | tuple) or len(multipliers) < 2:
        raise UsageError(f"{what}: multipliers must be a list of at least two, one a resolution, not {multipliers!r}")
    for multiplier in multipliers:
        check_count(f"{what}: each of the multipliers", multiplier, MOST_LAYERS)
    return {**found, "multipliers": list(multipliers)}


def grid(what: str, item_shape: Sequence[int], multipliers: Sequence[int]) -> tuple[int, int]:
    """The shape of the latent grid, halved between each two resolutions.

    Raises:
        UsageError: a side that can't be halved so often.
    """
    _, height, width = item_shape
    factor = 2 ** (len(multipliers) - 1)
    if height % factor or width % factor:
        raise UsageError(
            f"{what}: {height}x{width} images can't be downsampled by {factor}, the factor of {len(multipliers)} "
            "multipliers; both sides must be multiples of it"
        )
    return height // factor, width // factor


class Shape(NamedTuple):
    """What an encoder and its decoder are built of.

    ``channels`` at full resolution and their ``multipliers``, one a resolution; ``blocks`` a resolution; ``dim`` of the
    latents; whether the blocks of each resolution are followed by ``attention``; ``recompute``: see `through`.
    """

    channels: int
    multipliers: list[int]
    blocks: int
    dim: int
    recompute: bool
    attention: list[bool]

    @classmethod
    def of(cls, numbers: Mapping[str, Any], attention: Sequence[bool] = ()) -> "Shape":
        """From the ``numbers`` of `sized`; without ``attention`` where nothing is said of it."""
        levels = numbers["multipliers"]
        attends = list(attention) or [False] * len(levels)
        return cls(numbers["channels"], levels, numbers["blocks"], numbers["latent_dim"], numbers["recompute"], attends)

    @property
    def widths(self) -> list[int]:
        """Channels before the first resolution and at each."""
        return [self.channels, *(self.channels * multiplier for multiplier in self.multipliers)]


class GroupNorm(nn.GroupNorm):
    """Over 32 groups, as the papers'; where the model's ``base`` width is no multiple of 32, of four channels each."""

    def __init__(self, features: int, base: int) -> None:
        super().__init__(GROUPS if base % GROUPS == 0 else base // CHANNELS_A_GROUP, features, eps=1e-6)


class ResidualBlock(nn.Module):
    """Group norm, swish, 3x3 convolution, twice; added to the input, or to its 1x1 convolution where widths differ."""

    def __init__(self, inputs: int, outputs: int, base: int, *, bias: bool) -> None:
        super().__init__()
        self.norm1 = GroupNorm(inputs, base)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
        self.norm2 = GroupNorm(outputs, base)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=bias)
        self.nin_shortcut = nn.Conv2d(inputs, outputs, 1, bias=bias) if inputs != outputs else None

    def forward(self, features: Tensor) -> Tensor:
        """``[B, inputs, H, W]`` to ``[B, outputs, H, W]``."""
        hidden = self.conv1(F.silu(self.norm1(features)))
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return hidden + (features if self.nin_shortcut is None else self.nin_shortcut(features))


def residual_blocks(inputs: int, outputs: int, count: int, base: int, *, bias: bool) -> list[ResidualBlock]:
    """``count`` blocks in a row."""
    return [ResidualBlock(outputs if index else inputs, outputs, base, bias=bias) for index in range(count)]


class Level(nn.Module):
    """The blocks of one resolution, each followed by its attention where there is any, and the way to the next."""

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        attention: Iterable[nn.Module] = (),
        *,
        downsample: nn.Module | None = None,
        upsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.attn = nn.ModuleList(attention)
        self.downsample, self.upsample = downsample, upsample

    def forward(self, features: Tensor, recompute: bool) -> Tensor:
        """All blocks, then the change of resolution."""
        steps = chain.from_iterable(zip_longest(self.block, self.attn))
        features = through((step for step in steps if step is not None), features, recompute)
        way = self.downsample or self.upsample
        return features if way is None else way(features)


def through(modules: Iterable[nn.Module], features: Tensor, recompute: bool) -> Tensor:
    """``modules`` one after another; with ``recompute`` the backward pass computes what is inside them anew."""
    for module in modules:
        if recompute and torch.is_grad_enabled():
            features = checkpoint(module, features, use_reentrant=False, preserve_rng_state=False)
        else:
            features = module(features)
    return features


class Half(nn.Module):
    """An encoder or a decoder: a convolution, levels, the middle behind or before them, norm, a convolution.

    Attributes are called as the authors call them, so that a state's names are theirs.
    """

    conv_in: nn.Module
    norm_out: nn.Module
    conv_out: nn.Conv2d
    recompute: bool

    def levels(self) -> list[nn.Module]:
        """In the order of the walk."""
        raise NotImplementedError

    def middle(self) -> list[nn.Module]:
        """What works at the lowest resolution besides."""
        raise NotImplementedError

    def out(self, features: Tensor) -> Tensor:
        """The end of both."""
        return self.conv_out(F.silu(self.norm_out(features)))


class Encoder(Half):
    """Images ``[B, C, H, W]`` to latents ``[B, D, H / f, W / f]``; subclasses build it."""

    down: nn.ModuleList

    def levels(self) -> list[nn.Module]:
        """From the highest resolution to the lowest."""
        return list(self.down)

    def forward(self, images: Tensor) -> Tensor:
        """Latents of images."""
        features = self.conv_in(images)
        for level in self.levels():
            features = level(features, self.recompute)
        return self.out(through(self.middle(), features, self.recompute))


class Decoder(Half):
    """Latents ``[B, D, H / f, W / f]`` to images ``[B, C, H, W]``; subclasses build it."""

    up: nn.ModuleList

    def levels(self) -> list[nn.Module]:
        """From the lowest resolution to the highest."""
        return list(reversed(self.up))

    def forward(self, latents: Tensor) -> Tensor:
        """Images of latents."""
        features = through(self.middle(), self.conv_in(latents), self.recompute)
        for level in self.levels():
            features = level(features, self.recompute)
        return self.out(features)


class ImageAutoencoder(Autoencoder):
    """Encoder and decoder of images, channels last in memory."""

    def __init__(self, encoder: Encoder, decoder: Decoder, latent_dim: int, positions: tuple[int, int]) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim = latent_dim
        self.positions = positions

    @property
    def last_layer(self) -> nn.Parameter:
        """The convolution to pixels."""
        weight = self.decoder.conv_out.weight
        assert isinstance(weight, nn.Parameter)
        return weight

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, H', W', D]`` of images ``[B, C, H, W]``."""
        return self.encoder(items.contiguous(memory_format=torch.channels_last)).movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` of latents ``[B, H', W', D]``."""
        return self.decoder(latents.movedim(-1, 1))
