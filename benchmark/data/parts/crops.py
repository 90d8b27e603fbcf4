"""Square crops of photographs at several scales: a fixed grid of them, or fresh ones drawn at random."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Pyramids:
    """Photographs reduced to several scales.

    ``pixels``: uint8, one scale of one photograph after another, each ``[H, W, 3]``. ``levels``: int64 ``[L, 4]``,
    photograph, height, width and where it begins.
    """

    pixels: Tensor
    levels: Tensor

    def views(self, photographs: Sequence[int]) -> list[tuple[int, Tensor]]:
        """Photograph and ``[H, W, 3]`` of every scale of ``photographs``, in their order."""
        wanted = set(photographs)
        return [
            (index, self.pixels[start : start + height * width * 3].view(height, width, 3))
            for index, height, width, start in self.levels.tolist()
            if index in wanted
        ]


def reduce(images: Iterable[Image.Image], sides: Sequence[int]) -> dict[str, Any]:
    """The fields of `Pyramids`: each image reduced (Lanczos) until its shorter side is one of ``sides``.

    A scale that an image doesn't reach is left out: nothing is enlarged.
    """
    parts, levels, start = [], [], 0
    for index, image in enumerate(images):
        for side in sorted(side for side in sides if side <= min(image.size)):
            scale = side / min(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            reduced = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
            levels.append((index, size[1], size[0], start))
            parts.append(torch.from_numpy(reduced.reshape(-1).copy()))
            start += reduced.size
    return {"pixels": torch.cat(parts), "levels": torch.tensor(levels)}


def grid(pyramids: Pyramids, photographs: Sequence[int], size: int) -> tuple[Tensor, Tensor]:
    """Crops uint8 ``[N, 3, size, size]`` that don't overlap, and the photograph of each, int64 ``[N]``.

    The grid lies in the middle of every scale; small scales of a photograph come first.
    """
    crops, owners = [], []
    for index, view in pyramids.views(photographs):
        for top, left in _corners(view, size):
            crops.append(view[top : top + size, left : left + size].permute(2, 0, 1))
            owners.append(index)
    return torch.stack(crops), torch.tensor(owners)


def _corners(view: Tensor, size: int) -> Iterator[tuple[int, int]]:
    rows, columns = (length // size for length in view.shape[:2])
    above, before = (view.shape[0] - rows * size) // 2, (view.shape[1] - columns * size) // 2
    for row in range(rows):
        for column in range(columns):
            yield above + row * size, before + column * size


def detail(crops: Tensor) -> Tensor:
    """How much there is to see in crops ``[N, C, H, W]``, fp32 ``[N]``: contrast times the step between neighbours.

    Contrast alone finds flat halves of black and white, steps alone find noise.
    """
    return torch.cat([_detail(chunk.float()) for chunk in crops.split(1024)])


def _detail(crops: Tensor) -> Tensor:
    steps = sum(crops.diff(dim=side).abs().mean((1, 2, 3)) for side in (2, 3))
    return crops.std((1, 2, 3)) * steps


def spread(crops: Tensor, count: int) -> list[int]:
    """The crop with the most `detail` in each of ``count`` equal parts of ``crops [N, C, H, W]``."""
    found = detail(crops)
    ends = [part * len(crops) // count for part in range(count + 1)]
    parts = [(start, end) for start, end in pairwise(ends) if start < end]
    return [start + int(found[start:end].argmax()) for start, end in parts]


class RandomCrops:
    """Draws crops anywhere in ``photographs``, at any of their scales, half of them mirrored.

    A scale is as likely as the crops that its grid holds are many, so that fresh crops and a grid of the same
    photographs show the same mixture of scales.
    """

    def __init__(self, pyramids: Pyramids, photographs: Sequence[int], size: int) -> None:
        self._views = [view for _, view in pyramids.views(photographs)]
        self._counts = torch.tensor([float((view.shape[0] // size) * (view.shape[1] // size)) for view in self._views])
        self._size = size

    def __call__(self, count: int, step: int, generator: torch.Generator) -> Tensor:
        """Crops uint8 ``[count, 3, size, size]``; ``generator`` alone says which."""
        chosen = torch.multinomial(self._counts, count, replacement=True, generator=generator).tolist()
        across, down, mirrored = torch.rand(3, count, generator=generator, dtype=torch.float64)
        crops = torch.empty(count, 3, self._size, self._size, dtype=torch.uint8)
        for row, index in enumerate(chosen):
            view = self._views[index]
            top = int(down[row] * (view.shape[0] - self._size + 1))
            left = int(across[row] * (view.shape[1] - self._size + 1))
            crop = view[top : top + self._size, left : left + self._size].permute(2, 0, 1)
            crops[row] = crop.flip(2) if mirrored[row] < 0.5 else crop
        return crops
