"""Images drawn from a prior, as many of each class, and the sheets on which they are shown."""

from pathlib import Path

import torch
from torch import Tensor

from benchmark.metrics.parts.pixels import to_bytes, to_colour
from benchmark.priors.base import Prior
from benchmark.priors.tokenizer import Tokenizer
from benchmark.seeds import derive_seed

BATCH = 250
"""Items drawn at once; another number draws others."""
GENERATED, NEAREST = "generated.png", "nearest.png"
COLUMNS = 8


def classes_asked(count: int, classes: int) -> Tensor | None:
    """The class of each of ``count`` samples, one class after another; None for a prior that is told none."""
    return torch.arange(count) % classes if classes else None


@torch.no_grad()
def draw(prior: Prior, count: int, seed: int, temperature: float = 1.0) -> Tensor:
    """Joint codes ``[count, P]`` of the classes of `classes_asked`, on the device of the prior."""
    prior.eval()
    device = next(prior.parameters()).device
    generator = torch.Generator(device).manual_seed(derive_seed("samples", seed))
    labels = classes_asked(count, prior.classes)
    pieces = []
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        told = labels[begin : begin + size].to(device) if labels is not None else None
        pieces.append(prior.sample(size, generator, told, temperature))
    return torch.cat(pieces)


def images_of(tokenizer: Tokenizer, index: Tensor) -> Tensor:
    """Images uint8 ``[N, C, H, W]`` of joint codes ``[N, P]``, clamped and rounded as they would be saved."""
    return torch.cat([to_bytes(images.float().clamp(-1, 1)) for images in tokenizer.decode(index)])


def save_generated(images: Tensor, classes: int, folder: Path) -> None:
    """``generated.png``: the first samples of each class in a row of its own; four rows where there are no classes."""
    rows = classes or 4
    count = min(COLUMNS, len(images) // rows)
    if count:
        _save(images[: rows * count].reshape(count, rows, *images.shape[1:]).transpose(0, 1), folder / GENERATED)


def save_nearest(samples: Tensor, neighbours: Tensor, folder: Path) -> None:
    """``nearest.png``: the first samples, and below each the training image nearest to it."""
    _save(torch.stack([samples[:COLUMNS], neighbours[:COLUMNS].to(samples.device)]), folder / NEAREST)


def _save(grid: Tensor, path: Path) -> None:
    """uint8 images ``[rows, columns, C, H, W]`` without gaps."""
    from PIL import Image

    sheet = torch.cat([torch.cat(list(to_colour(row)), dim=2) for row in grid], dim=1)
    Image.fromarray(sheet.permute(1, 2, 0).cpu().numpy()).save(path)
