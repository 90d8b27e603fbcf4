"""One index a position for the codes of all levels together, so that every method has the same prior."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from methods.core.usage import UsageError

MOST = 4096
"""Values that one softmax is asked to hold."""
_MOST_NUMBERED = 2**62
"""Joint codes that an int64 index tells apart with room to spare."""


class JointCodes:
    """Codes of L levels as one number in the mixed radix of the level sizes, and back.

    ``digits``: what each softmax of a prior holds; the size alone, or the digits of the native track, highest first.

    Args:
        level_sizes: of the method.
        native: its digits (`Quantizer.resolve_digits`), for a prior with a softmax for each; None for one softmax.

    Raises:
        UsageError: a method without codes, or more values than one softmax can hold.
    """

    def __init__(self, level_sizes: Sequence[int], native: Sequence[int] | None = None) -> None:
        self.level_sizes = tuple(level_sizes)
        if not self.level_sizes:
            raise UsageError("a prior models codes, and this method has none; leave its arm out of `generation`")
        self.size = math.prod(self.level_sizes)
        self.digits = (self.size,) if native is None else tuple(native)
        assert math.prod(self.digits) == self.size, (self.digits, self.level_sizes)
        if max(self.digits) > MOST:
            _refuse(max(self.digits), native is not None)
        if self.size > _MOST_NUMBERED:
            raise UsageError(f"2^{math.log2(self.size):.0f} joint codes are more than 62 bits can number")

    def index(self, codes: Tensor) -> Tensor:
        """Indexes int64 ``[B, *positions]`` of codes ``[B, *positions, L]``, none of which is dropped."""
        assert codes.shape[-1] == len(self.level_sizes), (codes.shape, self.level_sizes)
        assert bool((codes >= 0).all()), "a dropped level has no index"
        return number_of(codes, self.level_sizes)

    def codes(self, index: Tensor) -> Tensor:
        """Codes int64 ``[B, *positions, L]`` of indexes ``[B, *positions]``."""
        return digits_of(index, self.level_sizes)


def number_of(digits: Tensor, sizes: Sequence[int]) -> Tensor:
    """Numbers ``[...]`` of digits ``[..., L]`` in a mixed radix, the highest digit first."""
    number = torch.zeros_like(digits[..., 0])
    for size, column in zip(sizes, digits.unbind(-1), strict=True):
        number = number * size + column
    return number


def digits_of(number: Tensor, sizes: Sequence[int]) -> Tensor:
    """Digits ``[..., L]`` of numbers ``[...]``; see `number_of`."""
    columns = []
    for size in reversed(sizes):
        columns.append(number % size)
        number = number // size
    return torch.stack(columns[::-1], dim=-1)


def _refuse(size: int, native: bool) -> None:
    what = "values of one level" if native else "joint codes"
    way = "" if native else ", or, for codes of levels, digits or bits, `prior: native`, with a softmax for each"
    raise UsageError(
        f"{size:,} {what} are more than the {MOST:,} that one softmax can hold; choose a smaller codebook_size{way}"
    )
