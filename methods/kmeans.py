"""k-means of the latents, then fixed: the reference where there is no encoder."""

from collections.abc import Iterator

import torch
from torch import Tensor

from methods.core.base import Card, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.codebook import CodebookQuantizer
from methods.parts.estimators import straight_through
from methods.parts.kmeans import collect_rows, kmeans, spread_rows

_ITERATIONS = 50


@register("kmeans")
class KMeans(CodebookQuantizer):
    """A reference, not a remedy: what Lloyd's algorithm reaches in 50 iterations on latents that don't move.

    Lloyd, "Least Squares Quantization in PCM", IEEE Transactions on Information Theory 28(2), 1982; started by
    k-means++ (Arthur, Vassilvitskii, SODA 2007), without which it misses clusters that lie far apart.

    Args:
        per_codeword: latents a codeword that it learns from, at least 20,000 in all. With few, the centroids fit those
            latents and not their law: on latents of an encoder (D = 64, K = 1,024) 20 a codeword cost 9 % of the error.
    """

    card = Card(
        idea="k-means of the latents before training, then fixed: the reference where there is no encoder",
        paper='Lloyd, "Least Squares Quantization in PCM", IEEE Trans. Inf. Theory 28(2), 1982',
        trains="nothing; codebook (K x D) is set once",
        memory="N·D + K·D",
        differences=("it has no commitment loss: an encoder, where there is one, is free to move away",),
        evidence=(
            "scikit-learn's KMeans, continued from its centroids to convergence, lowers the squared error by less than "
            "0.001 % (mixture of 32, K = 64, D = 8; mixture of 128, K = 256, D = 16)",
        ),
        distributed=Card.SAME_AS_ONE,
    )

    reference = True
    max_codebook_size_cpu = 4096  # k-means++ goes once over all latents for each codeword

    def __init__(self, codebook_size: int, dim: int, *, per_codeword: int = 256) -> None:
        super().__init__(codebook_size, dim)
        check_range("per_codeword", per_codeword, 1)
        self.per_codeword = per_codeword
        self.register_buffer("codebook", torch.randn(self.codebook_size, dim))
        self.register_buffer("initialised", torch.tensor(False))

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches."""
        self.start_from_kmeans(latents)

    def centroids(self, latents: Iterator[Tensor]) -> Tensor:
        """Of more latents, from a better start and after more iterations than a method that goes on training needs."""
        rows = collect_rows(latents, self.codebook_size, self.per_codeword)
        return kmeans(rows, self.codebook_size, _ITERATIONS, spread_rows(rows, self.codebook_size))

    def forward(self, latents: Tensor) -> Quantized:
        """The nearest centroids; no loss."""
        codes = self.encode(latents)
        quantized = self.decode(codes)
        output = straight_through(latents, quantized) if self.training else quantized
        return Quantized(output, codes, latents.new_zeros(()))
