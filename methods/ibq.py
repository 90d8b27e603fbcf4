"""IBQ: the gradient goes back through a softmax over all codewords, so that every codeword moves at every step."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from methods.core.base import Card, Knob, Quantized, Quantizer
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.entropy import entropy
from methods.parts.processes import sum_over_processes
from methods.parts.recompute import by_chunks, chunk_elements
from methods.parts.statistics import num_rows

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
        distributed=Card.SAME_AS_ONE,
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


class IndexBackpropagation(torch.autograd.Function):
    """Codes of the largest logit z·e, and what the softmax over all codewords is needed for.

    ``apply(latents [N, D], codebook [K, D], temperature)`` returns

    - zeros ``[N, D]`` with the gradient of softmax(z·Eᵀ) E, through the softmax alone: added to the
      codewords of the codes, they give IBQ's output;
    - the codes ``[N]``, without gradient;
    - the entropy of each softmax(z·Eᵀ / temperature), ``[N]``;
    - the sum over the latents of the latter softmax, ``[K]``.

    The gradients are derived by hand: automatic ones would keep, or allocate over and over, tensors of
    N x K elements, which is what limits the size of the codebook.
    """

    @staticmethod
    def forward(ctx: Any, latents: Tensor, codebook: Tensor, temperature: float) -> tuple[Tensor, ...]:
        """Chunk by chunk, without keeping a softmax."""
        ctx.save_for_backward(latents, codebook)
        ctx.temperature = temperature
        codes = torch.empty(latents.shape[0], dtype=torch.int64, device=latents.device)
        entropies, total = latents.new_empty(latents.shape[0]), codebook.new_zeros(codebook.shape[0])
        for part, logits, probabilities, _ in _chunks(latents, codebook):
            torch.mm(latents[part], codebook.T, out=logits)
            torch.argmax(logits, 1, out=codes[part])
            _softmax(logits.div_(temperature), probabilities)
            entropies[part] = -_row_dots(probabilities, logits)
            total += probabilities.sum(0)
        ctx.mark_non_differentiable(codes)
        return torch.zeros_like(latents), codes, entropies, total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """The softmaxes anew, and their gradients by hand."""
        latents, codebook = ctx.saved_tensors
        to_output, _, to_entropies, to_total = gradients
        of_latents, of_codebook = torch.empty_like(latents), torch.zeros_like(codebook)
        for part, logits, probabilities, slope in _chunks(latents, codebook):
            # dL/dlogits of softmax(z·Eᵀ) E: p (v - p·v) with v = gradient · Eᵀ.
            torch.mm(latents[part], codebook.T, out=probabilities)
            _softmax(probabilities, slope)
            torch.mm(to_output[part], codebook.T, out=logits)
            slope.mul_(logits.sub_(_row_dots(slope, logits)[:, None]))
            # Of the entropies, with q = softmax(logits / t): q (h - q·h) / t with h = dL/dtotal - dL/dentropy · ln q.
            torch.mm(latents[part], codebook.T, out=logits)
            _softmax(logits.div_(ctx.temperature), probabilities)
            logits.mul_(-to_entropies[part, None]).add_(to_total)
            logits.sub_(_row_dots(probabilities, logits)[:, None])
            slope.addcmul_(probabilities, logits, value=1 / ctx.temperature)
            torch.mm(slope, codebook, out=of_latents[part])
            of_codebook.addmm_(slope.T, latents[part])
        return of_latents, of_codebook, None


def _chunks(latents: Tensor, codebook: Tensor) -> Iterator[tuple[Any, ...]]:
    """Slices of the latents, each with three buffers of its number of rows times K."""
    count, size = latents.shape[0], codebook.shape[0]
    rows = max(1, min(count, chunk_elements(latents.device) // size))
    buffers = latents.new_empty(3, rows, size)
    for start in range(0, count, rows):
        length = min(rows, count - start)
        yield slice(start, start + length), *(buffer[:length] for buffer in buffers)


def _softmax(logits: Tensor, probabilities: Tensor) -> None:
    """Turn ``logits`` into the logarithms of their softmax over the rows, in place, and fill in the softmax."""
    logits.sub_(logits.amax(1, keepdim=True))
    torch.exp(logits, out=probabilities)
    total = probabilities.sum(1, keepdim=True)
    probabilities.div_(total)
    logits.sub_(total.log())


def _row_dots(one: Tensor, other: Tensor) -> Tensor:
    """Dot product of each pair of rows, ``[N]``, without a tensor of their products."""
    return torch.bmm(one[:, None], other[:, :, None]).flatten()
