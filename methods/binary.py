"""Codes that are the signs of a few channels: what LFQ and BSQ have in common."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.base import check_range
from methods.errors import UsageError
from methods.projection import ProjectedQuantizer


class BinaryQuantizer(ProjectedQuantizer):
    """A code is the signs of its d = log2 K channels: bit j, worth 2^j, is set where channel j is above zero.

    Zero counts as negative. A codeword is plus or minus ``magnitude`` in every channel.
    """

    magnitude: float = 1.0
    smallest_size: ClassVar[int] = 2
    places: Tensor

    def __init__(self, codebook_size: int, dim: int) -> None:
        (size,) = self.resolve_size(codebook_size)
        super().__init__(codebook_size, dim, size.bit_length() - 1)
        self.register_buffer("places", 1 << torch.arange(self.inner_dim), persistent=False)

    @classmethod
    def resolve_size(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """A power of two from `smallest_size` on.

        Raises:
            UsageError: another size, or one above the method's maximum.
        """
        check_range("codebook_size", codebook_size, cls.smallest_size)
        if codebook_size & (codebook_size - 1):
            below = 1 << (codebook_size.bit_length() - 1)
            raise UsageError(
                f"`{cls.name}` needs a power of two as codebook size, such as {below:,} or {2 * below:,}, "
                f"not {codebook_size:,}"
            )
        return super().resolve_size(codebook_size)

    def assign(self, inner: Tensor) -> Tensor:
        """The channels above zero as binary digits, the first channel the lowest."""
        return ((inner > 0) * self.places).sum(-1)

    def look_up(self, codes: Tensor) -> Tensor:
        """Codewords of plus and minus ``magnitude``."""
        bits = (codes.unsqueeze(-1) & self.places) != 0
        return torch.where(bits, self.magnitude, -self.magnitude)
