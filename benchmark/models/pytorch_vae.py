"""The small VQ-VAE of the repository PyTorch-VAE, with leaky ReLU throughout, that several studies took over."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.models import models
from benchmark.models.base import Autoencoder
from methods.core.usage import MOST_WIDTH, UsageError, check_count

WHAT = "model `pytorch_vae`"
BLOCKS = 2


class Residual(nn.Module):
    """3x3, ReLU, 1x1, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resblock = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, width, H, W]``, same shape."""
        return features + self.resblock(features)


class PyTorchVAE(Autoencoder):
    """Images enter from -1/2 to 1/2, and are made so: half of what the harness has, as the study transforms them."""

    def __init__(self, channels: int, widths: list[int], latent_dim: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.positions = grid
        width = widths[-1]
        down = [_leaky(nn.Conv2d(i, o, 4, 2, 1)) for i, o in zip([channels, *widths], widths, strict=False)]
        self.encoder = nn.Sequential(
            *down,
            _leaky(nn.Conv2d(width, width, 3, padding=1)),
            *[Residual(width) for _ in range(BLOCKS)],
            nn.LeakyReLU(),
            _leaky(nn.Conv2d(width, latent_dim, 1)),
        )
        upward = [*reversed(widths), channels]
        self.decoder = nn.Sequential(
            _leaky(nn.Conv2d(latent_dim, width, 3, padding=1)),
            *[Residual(width) for _ in range(BLOCKS)],
            nn.LeakyReLU(),
            *[_leaky(nn.ConvTranspose2d(i, o, 4, 2, 1)) for i, o in pairwise(upward)],
        )

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, H', W', D]`` of images ``[B, C, H, W]``."""
        return self.encoder((items / 2).contiguous(memory_format=torch.channels_last)).movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` of latents ``[B, H', W', D]``."""
        return 2 * self.decoder(latents.movedim(-1, 1))


def _leaky(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.LeakyReLU())


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `pytorch_vae`, known to be whole numbers, or a UsageError."""
    check_count(f"{WHAT}: latent_dim", options["latent_dim"])
    widths = options["widths"]
    if not isinstance(widths, list | tuple) or not widths:
        raise UsageError(f"{WHAT}: widths must be a list of channels, one a halving, not {widths!r}")
    for width in widths:
        check_count(f"{WHAT}: each of the widths", width, MOST_WIDTH)
    return options


@models.register("pytorch_vae", checked, modality="image")
def pytorch_vae(
    *,
    widths: list[int] = [64],  # noqa: B006  read only
    latent_dim: int = 64,
    item_shape: tuple[int, ...],
) -> Autoencoder:
    """The VQ-VAE of AntixK/PyTorch-VAE as LL-VQ-VAE (arXiv 2310.09382) has it, with two residual blocks each way.

    ``widths``: channels after each halving of the sides. Leaky ReLU follows the last convolutions too: latents and
    images are shrunk to a hundredth below zero.

    Raises:
        UsageError: sides that can't be halved so often.
    """
    channels, height, width = item_shape
    factor = 2 ** len(widths)
    if height % factor or width % factor:
        raise UsageError(f"{WHAT}: {height}x{width} images can't be downsampled by {factor}")
    grid = (height // factor, width // factor)
    return PyTorchVAE(channels, list(widths), latent_dim, grid).to(memory_format=torch.channels_last)
