"""Quantizers that work in a few dimensions of their own: a linear map in, a codeword, a linear map out."""

import torch
from torch import Tensor, nn

from methods.base import Quantizer

MOST_CODEWORDS = 1 << 18
"""Above this size `codewords` is None: the list is not worth materialising."""


class ProjectedQuantizer(Quantizer):
    """One level of codes in an inner space of d dimensions, between two linear maps with bias.

    The latent dimension D belongs to the model, d to the method, so the maps D -> d and d -> D are
    the method's. A subclass defines `assign` and `look_up`, both in the inner space, and `forward`.
    """

    def __init__(self, codebook_size: int, dim: int, inner_dim: int) -> None:
        super().__init__(codebook_size, dim)
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
