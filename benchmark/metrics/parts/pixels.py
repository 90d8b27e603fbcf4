"""Images as the metrics want them, and the metrics that look at pixels."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.metrics.catalogue import MIN_PIXELS

SSIM_MIN_PIXELS = 6
MAX_PSNR = 100.0


def to_colour(images: Tensor) -> Tensor:
    """Grey ``[B, 1, H, W]`` repeated to three channels; colour as it is."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def to_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] rounded to uint8, as they would be saved."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def save_sheet(rows: Iterable[Tensor], path: Path) -> None:
    """Rows of as many images uint8 ``[B, C, H, W]`` each, below one another without gaps."""
    from PIL import Image

    sheet = torch.cat([torch.cat(list(to_colour(row)), dim=2) for row in rows], dim=1)
    Image.fromarray(sheet.permute(1, 2, 0).cpu().numpy()).save(path)


def network_size(height: int, width: int) -> tuple[int, int]:
    """Size at which an image enters a network: its own, or enlarged until the shorter side has 64 pixels."""
    shorter = min(height, width)
    if shorter >= MIN_PIXELS:
        return height, width
    return round(height * MIN_PIXELS / shorter), round(width * MIN_PIXELS / shorter)


def enlarge(images: Tensor) -> Tensor:
    """Float images ``[B, C, H, W]`` at `network_size`, bilinear."""
    size = network_size(images.shape[2], images.shape[3])
    if size == tuple(images.shape[2:]):
        return images
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False)


def psnr(originals: Tensor, reconstructions: Tensor) -> Tensor:
    """Peak signal-to-noise ratio ``[B]`` in dB of images in [-1, 1].

    At most 100 dB (a root mean squared error of 0.0026 grey levels out of 255), which an image
    reproduced exactly gets, so that it does not make the average infinite.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    values = peak_signal_noise_ratio(reconstructions, originals, data_range=2.0, reduction="none", dim=(1, 2, 3))
    return values.clamp(max=MAX_PSNR)


def ssim(originals: Tensor, reconstructions: Tensor) -> Tensor:
    """Structural similarity ``[B]`` of images in [-1, 1] with both sides of at least 6 pixels.

    Computed on [0, 1] with an 11×11 Gaussian window (σ = 1.5, K1 = 0.01, K2 = 0.03) over mirrored
    borders and averaged over all pixels and channels, as torchmetrics does.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    halves = ((reconstructions + 1) / 2, (originals + 1) / 2)
    values = structural_similarity_index_measure(*halves, data_range=1.0, reduction="none")
    assert isinstance(values, Tensor)
    return values


def in_chunks(function: Callable[..., Tensor], *batches: Tensor) -> Tensor:
    """``function`` on parts of a batch that suit the device: small ones keep a CPU's caches warm."""
    size = 32 if batches[0].device.type == "cpu" else 512
    return torch.cat([function(*parts) for parts in zip(*(batch.split(size) for batch in batches), strict=True)])
