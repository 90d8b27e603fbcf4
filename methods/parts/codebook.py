"""The common case: one codebook, searched for the nearest codeword, with the two losses of VQ-VAE."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from methods.core.base import Quantizer
from methods.core.usage import check_choice
from methods.parts.bounded_search import SearchMemory
from methods.parts.kmeans import collect_rows, kmeans
from methods.parts.nearest import nearest_codes


class CodebookQuantizer(Quantizer):
    """A quantizer whose codes are the nearest rows of ``effective_codebook()``.

    A subclass sets ``codebook`` ``[K, D]``, a parameter or a buffer, and defines ``forward``.
    """

    metric: str = "euclidean"
    """``euclidean`` or ``cosine``: what the nearest codeword is nearest in."""
    codebook: Tensor
    initialised: Tensor

    def __init__(self, codebook_size: int, dim: int, **size_params: Any) -> None:
        super().__init__(codebook_size, dim, **size_params)
        self.search_memory = SearchMemory()  # for speed alone, and so no part of the state

    def effective_codebook(self) -> Tensor:
        """The codewords ``[K, D]`` that are searched and returned."""
        return self.codebook

    def codewords(self) -> list[Tensor]:
        """The effective codebook."""
        return [self.effective_codebook()]

    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the nearest codewords."""
        return self.nearest(latents, self.effective_codebook())

    def decode(self, codes: Tensor) -> Tensor:
        """Codewords of ``codes``, exactly."""
        return self.effective_codebook()[codes.squeeze(-1)]

    def nearest(self, latents: Tensor, codewords: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the rows of ``codewords`` nearest to ``latents``."""
        rows = latents.reshape(-1, self.dim)
        return nearest_codes(rows, codewords, self.metric, self.search_memory).reshape(*latents.shape[:-1], 1)

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """Codewords are mapped and put in order once."""
        with torch.no_grad():
            codewords = self.effective_codebook()
        # Shadows the method of the class in this object.
        vars(self)["effective_codebook"] = lambda: codewords
        try:
            with self.search_memory.unchanging(codewords):
                yield
        finally:
            del vars(self)["effective_codebook"]

    @torch.no_grad()
    def start_from_kmeans(self, latents: Iterator[Tensor]) -> None:
        """Set the codebook to the k-means centroids of the first batches, once."""
        if not self.initialised:
            self.codebook.copy_(self.centroids(latents))
            self.initialised.fill_(True)

    def centroids(self, latents: Iterator[Tensor]) -> Tensor:
        """What `start_from_kmeans` starts from, ``[K, D]``."""
        return kmeans(collect_rows(latents, self.codebook_size), self.codebook_size)


def new_codebook(codebook_size: int, dim: int, init: str) -> Tensor:
    """A codebook ``[K, D]`` drawn from U(-1/K, 1/K) (``uniform``), U(-1, 1) (``unit_uniform``) or N(0, 1) (``normal``).

    ``kmeans`` draws from N(0, 1) too, until `CodebookQuantizer.start_from_kmeans` replaces it.
    """
    check_choice("init", init, ("uniform", "unit_uniform", "normal", "kmeans"))
    if init in ("uniform", "unit_uniform"):
        bound = 1 / codebook_size if init == "uniform" else 1.0
        return torch.empty(codebook_size, dim).uniform_(-bound, bound)
    return torch.randn(codebook_size, dim)


def vq_loss(
    latents: Tensor, quantized: Tensor, beta: float, codebook_weight: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted codebook loss plus ``beta`` times commitment loss, and the log of the latter.

    codebook_weight · mean |q - sg z|² + beta · mean |sg q - z|² over all N·D elements (van den Oord et
    al. 2017, Eq. 3), where ``quantized`` is q before the straight-through estimator.
    """
    commitment = mse_loss(latents, quantized.detach())
    loss = codebook_weight * mse_loss(quantized, latents.detach()) + beta * commitment
    return loss, {"commitment": commitment.detach()}
