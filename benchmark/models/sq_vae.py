"""The autoencoder of SQ-VAE's image experiments: batch norm, residual blocks, latents without a projection."""

from typing import Any

import torch
from torch import Tensor, nn

from benchmark.models import models
from benchmark.models.base import Autoencoder
from benchmark.models.parts.batch_norm import BatchNorm
from methods.core.usage import MOST_LAYERS, UsageError, check_count

WHAT = "model `sq_vae`"
FACTOR = 4
STARTING_DEVIATION = 0.02
NETWORKS = (2, 3)
"""Convolutions before the residual blocks, as many after them: of 28 px, of 32 px."""


class Residual(nn.Module):
    """ReLU, 3x3, batch norm, ReLU, 1x1, batch norm, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            BatchNorm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1),
            BatchNorm(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, width, H, W]``, same shape."""
        return features + self.block(features)


class SQVAEAutoencoder(Autoencoder):
    """Images enter from 0 to 1, and a sigmoid makes them so: the harness has them from -1 to 1."""

    def __init__(self, channels: int, width: int, blocks: int, convolutions: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.latent_dim = width
        self.positions = grid
        half = max(1, width // 2)
        down: list[nn.Module] = [*_normed(nn.Conv2d(channels, half, 4, 2, 1)), nn.Conv2d(half, width, 4, 2, 1)]
        up: list[nn.Module] = [
            *_normed(nn.ConvTranspose2d(width, half, 4, 2, 1)),
            nn.ConvTranspose2d(half, channels, 4, 2, 1),
            nn.Sigmoid(),
        ]
        if convolutions == NETWORKS[1]:
            down = [*down[:-1], *_normed(down[-1]), *_normed(nn.Conv2d(width, width, 3, padding=1))]
            up = [*_normed(nn.ConvTranspose2d(width, width, 3, padding=1)), *up]
        self.encoder = nn.Sequential(*down, *[Residual(width) for _ in range(blocks)])
        self.decoder = nn.Sequential(*[Residual(width) for _ in range(blocks)], *up)
        self.apply(_start)

    @property
    def last_layer(self) -> nn.Parameter:
        """The convolution to pixels."""
        last = self.decoder[-2]
        assert isinstance(last, nn.ConvTranspose2d)
        assert isinstance(last.weight, nn.Parameter)
        return last.weight

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, H/4, W/4, D]`` of images ``[B, C, H, W]``."""
        return self.encoder(((items + 1) / 2).contiguous(memory_format=torch.channels_last)).movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` of latents ``[B, H/4, W/4, D]``."""
        return 2 * self.decoder(latents.movedim(-1, 1)) - 1


def _normed(layer: nn.Module) -> list[nn.Module]:
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    return [layer, BatchNorm(layer.out_channels), nn.ReLU(inplace=True)]


def _start(layer: nn.Module) -> None:
    """Weights of convolutions from N(0, 0.02²), of batch norm from N(1, 0.02²)."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, STARTING_DEVIATION)
    elif isinstance(layer, BatchNorm):
        nn.init.normal_(layer.weight, 1.0, STARTING_DEVIATION)


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `sq_vae`, known to be whole numbers and of a network that there is, or a UsageError."""
    for name, value in options.items():
        check_count(f"{WHAT}: {name}", value, MOST_LAYERS if name == "residual_blocks" else None)
    if options["convolutions"] not in NETWORKS:
        raise UsageError(f"{WHAT}: convolutions must be 2 or 3, not {options['convolutions']}")
    return options


@models.register("sq_vae", checked, modality="image")
def sq_vae(
    *, latent_dim: int = 64, residual_blocks: int = 2, convolutions: int = 2, item_shape: tuple[int, ...]
) -> Autoencoder:
    """The autoencoder of SQ-VAE (arXiv 2205.07547) as its code has it: D channels all the way, no projection.

    ``convolutions``: before the residual blocks and after them, 2 as theirs for MNIST and Fashion-MNIST
    (``net_28.py``), where nothing normalises what enters the blocks, or 3 as for CIFAR-10 (``net_32.py``).
    ``residual_blocks``: each way. Sides are divided by 4; the decoder ends in a sigmoid.

    Raises:
        UsageError: sides that 4 does not divide.
    """
    channels, height, width = item_shape
    if height % FACTOR or width % FACTOR:
        raise UsageError(f"{WHAT}: {height}x{width} images can't be downsampled by {FACTOR}")
    grid = (height // FACTOR, width // FACTOR)
    model = SQVAEAutoencoder(channels, latent_dim, residual_blocks, convolutions, grid)
    return model.to(memory_format=torch.channels_last)
