"""What is measured: shapes, and who is measured on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

OURS = "this project"
MEMORY_LIMIT = 12e9
"""Bytes that a contender may need; above, it is left out and the tables say so."""


@dataclass(frozen=True)
class Shape:
    """``rows`` N latents, ``size`` K codewords, ``dim`` D."""

    rows: int
    size: int
    dim: int

    def matrices(self, count: float) -> float:
        """Bytes of ``count`` fp32 tensors N x K."""
        return count * 4 * self.rows * self.size


Prepared = Callable[[], Any]
"""One operation on inputs that are there already."""


@dataclass(frozen=True)
class Contender:
    """One way to do the operation. ``prepare`` makes the inputs, the same for all, and returns the operation."""

    name: str
    prepare: Callable[[Shape, torch.device], Prepared]
    needs: Callable[[Shape], float] = lambda shape: 0.0
    """Bytes at its peak, where they grow as N x K."""
    requires: Callable[[torch.device], str | None] = lambda device: None
    """Why it can't be measured on a device, or None."""
    own: bool = False
    """Whether it is one of this project's quantizers, whose searches are timed too."""

    def left_out(self, shape: Shape, device: torch.device) -> str | None:
        """Why it isn't measured on this shape, or None."""
        needed = self.needs(shape)
        if needed > MEMORY_LIMIT:
            return f"would need {needed / 1e9:.0f} GB"
        return self.requires(device)


def needs_a_gpu(device: torch.device) -> str | None:
    """Why there is nothing to measure on ``device``, or None."""
    return None if device.type == "cuda" else "needs a GPU"


@dataclass(frozen=True)
class Group:
    """Contenders at one operation; times are compared with those of ``reference``.

    ``kind``: search, trained (a search in trained codebooks), step, training.
    """

    name: str
    kind: str
    title: str
    contenders: tuple[Contender, ...]
    shapes: tuple[Shape, ...]
    quick_shapes: tuple[Shape, ...]
    reference: str = OURS
    memory_at: Callable[[Shape], bool] = lambda shape: True
    """On which shapes peak memory is measured."""
    fewest_rounds: int = 0
    """However long they take: where a ratio is aimed at, medians of a few would not do."""

    def contender(self, name: str) -> Contender:
        """The contender of that name."""
        return next(contender for contender in self.contenders if contender.name == name)


SIZES = (1024, 4096, 16384, 65536, 262144)
SEARCH_SHAPES = (
    *(Shape(2048, size, dim) for dim in (8, 64, 256) for size in SIZES),
    *(Shape(6272, size, 64) for size in SIZES),
    Shape(25088, 16384, 64),
    Shape(50000, 16384, 8),
)
QUICK_SEARCH_SHAPES = (
    *(Shape(2048, size, dim) for dim in (8, 64) for size in (1024, 4096)),
    Shape(6272, 1024, 64),
)
TRAINED_SHAPES = {
    "half-trained": tuple(Shape(6272, size, 64) for size in (16384, 65536)),
    "trained": tuple(Shape(6272, size, 64) for size in (1024, 16384, 65536, 262144)),
}
QUICK_TRAINED_SHAPES = (Shape(784, 4096, 64),)
STEP_SHAPES = tuple(Shape(6272, size, 64) for size in (1024, 65536))
SIMVQ_SHAPES = (*(Shape(6272, size, 64) for size in (1024, 8192, 65536, 262144)), Shape(2048, 262144, 64))
QUICK_STEP_SHAPES = (Shape(784, 1024, 64), Shape(784, 4096, 64))
TRAINING_SHAPES = tuple(Shape(6272, size, 64) for size in (1024, 65536, 262144))
QUICK_TRAINING_SHAPES = (Shape(784, 1024, 64),)
