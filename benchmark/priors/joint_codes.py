"""One index a position for the codes of all levels together, so that every method has the same prior."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from methods.core.usage import UsageError

MOST = 4096
"""Joint codes that one softmax is asked to hold."""


class JointCodes:
    """Codes of L levels as one number in the mixed radix of the level sizes, and back.

    Raises:
        UsageError: a method without codes, or more joint codes than one softmax can hold.
    """

    def __init__(self, level_sizes: Sequence[int]) -> None:
        self.level_sizes = tuple(level_sizes)
        if not self.level_sizes:
            raise UsageError("a prior models codes, and this method has none; leave its arm out of `generation`")
        self.size = math.prod(self.level_sizes)
        if self.size > MOST:
            raise UsageError(
                f"{self.size:,} joint codes are more than the {MOST:,} that one softmax can hold; choose a smaller "
                "codebook_size"
            )

    def index(self, codes: Tensor) -> Tensor:
        """Indexes int64 ``[B, *positions]`` of codes ``[B, *positions, L]``, none of which is dropped."""
        assert codes.shape[-1] == len(self.level_sizes), (codes.shape, self.level_sizes)
        assert bool((codes >= 0).all()), "a dropped level has no index"
        joint = torch.zeros_like(codes[..., 0])
        for size, column in zip(self.level_sizes, codes.unbind(-1), strict=True):
            joint = joint * size + column
        return joint

    def codes(self, index: Tensor) -> Tensor:
        """Codes int64 ``[B, *positions, L]`` of indexes ``[B, *positions]``."""
        columns = []
        for size in reversed(self.level_sizes):
            columns.append(index % size)
            index = index // size
        return torch.stack(columns[::-1], dim=-1)
