"""Quantizers that work in a few dimensions of their own, between two linear maps, also by the signs alone."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.core.base import Quantizer
from methods.core.usage import UsageError, check_range

MOST_CODEWORDS = 1 << 18
"""Above this size `codewords` is None: the list is not worth materialising."""


class ProjectedQuantizer(Quantizer):
    """One level of codes in an inner space of d dimensions, between two linear maps with bias.

    The latent dimension D belongs to the model, d to the method, so the maps D -> d and d -> D are
    the method's. A subclass defines `assign` and `look_up`, both in the inner space, and `forward`.
    """

    def __init__(self, codebook_size: int, dim: int, inner_dim: int, **size_params: Any) -> None:
        super().__init__(codebook_size, dim, **size_params)
        self.inner_dim = inner_dim
        self.project_in = nn.Linear(dim, inner_dim)
        self.project_out = nn.Linear(inner_dim, dim)

    def assign(self, inner: Tensor) -> Tensor:
        """Codes int64 ``[B, *positions]`` of projected latents ``[B, *positions, d]``."""
        raise NotImplementedError

    def look_up(self, codes: Tensor) -> Tensor:
        """Codewords ``[B, *positions, d]`` of codes ``[B, *positions]``, before the projection out."""
        raise NotImplementedError

    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the projected latents."""
        return self.assign(self.project_in(latents)).unsqueeze(-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codewords of ``codes``, projected out."""
        return self.project_out(self.look_up(codes.squeeze(-1)))

    def codewords(self) -> list[Tensor] | None:
        """All codewords ``[K, D]``, projected out; None above `MOST_CODEWORDS`."""
        if self.codebook_size > MOST_CODEWORDS:
            return None
        return [self.decode(torch.arange(self.codebook_size, device=self.project_out.weight.device)[:, None])]


class BinaryQuantizer(ProjectedQuantizer):
    """A code is the signs of its d = log2 K channels: bit j, worth 2^j, is set where channel j is above zero.

    Shared by LFQ and BSQ. Zero counts as negative. A codeword is plus or minus ``magnitude`` in every channel.
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

    @classmethod
    def resolve_digits(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """A bit each."""
        (size,) = cls.resolve_size(codebook_size, **params)
        return (2,) * (size.bit_length() - 1)

    def assign(self, inner: Tensor) -> Tensor:
        """The channels above zero as binary digits, the first channel the lowest."""
        return ((inner > 0) * self.places).sum(-1)

    def look_up(self, codes: Tensor) -> Tensor:
        """Codewords of plus and minus ``magnitude``."""
        bits = (codes.unsqueeze(-1) & self.places) != 0
        return torch.where(bits, self.magnitude, -self.magnitude)
