"""The small convolutional autoencoder of the VQ-VAE family."""

from typing import Any

import torch
from torch import Tensor, nn

from benchmark.models import models
from benchmark.models.base import Autoencoder
from methods.core.usage import MOST_LAYERS, MOST_WIDTH, UsageError, check_choice, check_count

UPSAMPLING = ("transposed", "nearest")
RESIDUAL = ("plain", "rectified")


class Residual(nn.Module):
    """ReLU, 3x3, ReLU, 1x1, added to the input, which is ``rectified`` too where the blocks have biases."""

    def __init__(self, width: int, hidden: int, rectified: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReLU(inplace=rectified),  # in place, what is added to is rectified with it
            nn.Conv2d(width, hidden, 3, padding=1, bias=rectified),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, width, 1, bias=rectified),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, width, H, W]``, same shape."""
        added = self.block(features)
        return features + added


def upsample(inputs: int, outputs: int, how: str) -> list[nn.Module]:
    """Layers to twice the height and width."""
    if how == "transposed":
        return [nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)]
    return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1)]


class ConvAutoencoder(Autoencoder):
    """Stride-2 convolutions, residual blocks, a 1x1 projection to D; mirrored in the decoder.

    van den Oord et al. (arXiv 1711.00937), sizes as in sonnet's example: 0.37 M weights
    in the encoder and 0.29 M in the decoder at width 128, D = 64, two blocks of 32.
    """

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        width: int,
        latent_dim: int,
        strides: int,
        blocks: int,
        hidden: int,
        upsampling: str,
        residual: str,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.positions = grid
        rectified = residual == "rectified"
        widths = [max(1, width // 2)] * (strides - 1) + [width]
        down: list[nn.Module] = []
        for inputs, outputs in zip([channels, *widths], widths, strict=False):
            down += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
        self.encoder = nn.Sequential(
            *down,
            nn.Conv2d(width, width, 3, padding=1),
            *[Residual(width, hidden, rectified) for _ in range(blocks)],
            nn.ReLU(inplace=True),
            nn.Conv2d(width, latent_dim, 1),
        )
        up: list[nn.Module] = []
        upward = [*reversed(widths[:-1]), channels]
        for inputs, outputs in zip([width, *upward], upward, strict=False):
            up += [*upsample(inputs, outputs, upsampling), nn.ReLU(inplace=True)]
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_dim, width, 3, padding=1),
            *[Residual(width, hidden, rectified) for _ in range(blocks)],
            nn.ReLU(inplace=True),
            *up[:-1],
        )

    @property
    def last_layer(self) -> nn.Parameter:
        """The convolution to pixels."""
        last = self.decoder[-1]
        assert isinstance(last, nn.ConvTranspose2d | nn.Conv2d)
        assert isinstance(last.weight, nn.Parameter)
        return last.weight

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, H', W', D]`` of images ``[B, C, H, W]``."""
        return self.encoder(items.contiguous(memory_format=torch.channels_last)).movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` of latents ``[B, H', W', D]``."""
        return self.decoder(latents.movedim(-1, 1))


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `conv`, each known to be of its kind and the downsampling a power of two, or a UsageError."""
    numbers = dict(options)
    for name, choices in (("upsampling", UPSAMPLING), ("residual", RESIDUAL)):
        check_choice(f"model `conv`: {name}", numbers.pop(name, choices[0]), choices)
    for name, value in numbers.items():
        if name == "residual_blocks":
            check_count(f"model `conv`: {name}", value, MOST_LAYERS, least=0)
        else:
            check_count(f"model `conv`: {name}", value, None if name == "latent_dim" else MOST_WIDTH)
    factor = options["downsampling"]
    if factor < 2 or factor.bit_count() != 1:
        raise UsageError(f"model `conv`: downsampling must be a power of two of at least 2, not {factor}")
    return options


@models.register("conv", checked, modality="image", added=("upsampling", "residual"))
def conv(
    *,
    width: int = 128,
    latent_dim: int = 64,
    downsampling: int = 4,
    residual_blocks: int = 2,
    residual_width: int = 32,
    upsampling: str = "transposed",
    residual: str = "plain",
    item_shape: tuple[int, ...],
) -> Autoencoder:
    """Convolutional autoencoder for images; ``downsampling`` is the factor a side, a power of two.

    ``upsampling``: by ``transposed`` convolutions, or each pixel doubled (``nearest``) and a 3x3 convolution, which
    leaves no chequered pattern and takes a fifth longer. ``residual``: ``rectified`` blocks have biases, and add to
    what ReLU makes of their input, as CVQ-VAE's code has them (its ReLU works in place); ``plain`` ones neither.
    """
    channels, height, width_px = item_shape
    if height % downsampling or width_px % downsampling:
        raise UsageError(f"model `conv`: {height}x{width_px} images can't be downsampled by {downsampling}")
    grid = (height // downsampling, width_px // downsampling)
    strides = downsampling.bit_length() - 1
    blocks = residual_blocks, residual_width
    model = ConvAutoencoder(channels, grid, width, latent_dim, strides, *blocks, upsampling, residual)
    return model.to(memory_format=torch.channels_last)
