"""Images drawn from a prior, as many of each class, and the sheets on which they are shown."""

from pathlib import Path

import torch
from torch import Tensor

from benchmark.metrics.parts.pixels import save_sheet, to_bytes
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
def draw(
    prior: Prior, count: int, seed: int, temperature: float = 1.0, guidance: float = 1.0, of: str = "samples"
) -> Tensor:
    """Joint codes ``[count, P]`` of the classes of `classes_asked`, on the device of the prior.

    ``of``: what they are for; for another purpose others are drawn.
    """
    prior.eval()
    device = prior.device
    generator = torch.Generator(device).manual_seed(derive_seed(of, seed))
    labels = classes_asked(count, prior.classes)
    pieces = []
    for begin in range(0, count, BATCH):
        size = min(BATCH, count - begin)
        told = labels[begin : begin + size].to(device) if labels is not None else None
        pieces.append(prior.sample(size, generator, told, temperature, guidance))
    return torch.cat(pieces)


def images_of(tokenizer: Tokenizer, index: Tensor) -> Tensor:
    """Images uint8 ``[N, C, H, W]`` of joint codes ``[N, P]``, clamped and rounded as they would be saved."""
    return torch.cat([to_bytes(images.float().clamp(-1, 1)) for images in tokenizer.decode(index)])


def save_generated(images: Tensor, classes: int, folder: Path) -> None:
    """``generated.png``: the first samples of each class in a row of its own; four rows where there are no classes."""
    rows = classes or 4
    count = min(COLUMNS, len(images) // rows)
    if count:
        save_sheet(images[: rows * count].reshape(count, rows, *images.shape[1:]).transpose(0, 1), folder / GENERATED)


def save_nearest(samples: Tensor, neighbours: Tensor, folder: Path) -> None:
    """``nearest.png``: the first samples, and below each the training image nearest to it."""
    save_sheet(torch.stack([samples[:COLUMNS], neighbours[:COLUMNS].to(samples.device)]), folder / NEAREST)
