"""IBQ: the gradient goes back through a softmax over all codewords, so that every codeword moves at every step."""

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from methods.base import Card, Knob, Quantized, Quantizer, check_range
from methods.entropy import entropy
from methods.index_backpropagation import IndexBackpropagation
from methods.recompute import by_chunks
from methods.registry import register
from methods.statistics import num_rows, sum_over_processes

_EPSILON = 1e-5


@register("ibq")
class IBQ(Quantizer):
    """The codeword with the largest dot product; its one-hot index has the gradient of the softmax of all.

    Shi et al., "Scalable Image Tokenization with Index Backpropagation Quantization", ICCV 2025, arXiv
    2412.02692. The output is h·E for the one-hot h; the gradient is that of p·E for the softmax p of
    z·Eᵀ, and reaches encoder and codebook through p. Nothing of size N x K is ever held
    (`IndexBackpropagation`).

    Args:
        beta: weight of the third term of the loss, mean |q - sg z|².
        entropy_weight: weight of the mean entropy of a latent's soft assignment minus the entropy of
            the mean assignment.
        temperature: of the softmax in those entropies; the one of the gradient has temperature 1.
    """

    card = Card(
        idea="the index is back-propagated through a softmax over all codewords, so that all of them move",
        paper='Shi et al., "Scalable Image Tokenization with Index Backpropagation Quantization", ICCV 2025, '
        "arXiv 2412.02692",
        code="TencentARC/SEED-Voken, src/IBQ/modules/vqvae/quantize.py, IndexPropagationQuantize",
        trains="codebook (K x D), every codeword at every step",
        memory="N·D + K·D",
        differences=(
            "the softmax is computed again in the backward pass, chunk by chunk, instead of kept",
            "the mean assignment is that of all processes; theirs is each process's own",
        ),
        evidence=(
            "the authors' code on 256 latents at K = 64, 1,024 and 16,384 (D = 8, 16, 64): output, codes and loss "
            "equal, gradients of latents within 1.6e-7 of 0.04, of the codebook within 6e-8 of 0.18",
        ),
    )
    knob = Knob("entropy_weight", (0.01, 0.05, 0.2), below=(0.002,), above=(1.0,))
    # Five products of N x K x D and two softmaxes of N x K a step: with 6,272 latents of 64 dimensions 1.3 CPU seconds
    # at K = 4,096 and 5.2 at 16,384. The authors' largest size is 262,144.
    max_codebook_size = 1 << 18
    max_codebook_size_cpu = 1 << 12

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.25,
        entropy_weight: float = 0.05,
        temperature: float = 0.01,
    ) -> None:
        check_range("beta", beta, 0)
        check_range("entropy_weight", entropy_weight, 0)
        check_range("temperature", temperature, 1e-6)
        super().__init__(codebook_size, dim)
        self.beta = beta
        self.entropy_weight = entropy_weight
        self.temperature = temperature
        self.codebook = nn.Parameter(torch.randn(self.codebook_size, dim))

    def codewords(self) -> list[Tensor]:
        """The codebook."""
        return [self.codebook]

    @torch.no_grad()
    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the largest dot product, which is not the nearest codeword."""
        rows = latents.reshape(-1, self.dim)
        (codes,) = by_chunks(lambda chunk: ((chunk @ self.codebook.T).argmax(1),), rows, width=self.codebook_size)
        return codes.reshape(*latents.shape[:-1], 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codewords of ``codes``."""
        return self.codebook[codes.squeeze(-1)]

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: mean |q - z|² through p, mean |sg q - z|², beta · mean |q - sg z|²; in training the entropies too."""
        if not self.training:
            codes = self.encode(latents)
            quantized = self.decode(codes)
            commitment = mse_loss(quantized, latents)
            return Quantized(quantized, codes, (2 + self.beta) * commitment, {"commitment": commitment.detach()})
        rows = latents.reshape(-1, self.dim)
        soft, codes, entropies, total = IndexBackpropagation.apply(rows, self.codebook, self.temperature)
        hard = self.codebook[codes]
        quantized = hard + soft
        commitment = mse_loss(hard.detach(), rows)
        sample = entropies.mean()
        codebook = entropy(sum_over_processes(total) / num_rows(rows), _EPSILON)
        loss = mse_loss(quantized, rows) + commitment + self.beta * mse_loss(hard, rows.detach())
        loss = loss + self.entropy_weight * (sample - codebook)
        terms = {"commitment": commitment, "sample_entropy": sample, "codebook_entropy": codebook}
        log = {name: term.detach() for name, term in terms.items()}
        return Quantized(quantized.reshape(latents.shape), codes.reshape(*latents.shape[:-1], 1), loss, log)
