"""The softmax of IBQ over all codewords, forward and backward, in three buffers whatever the size of N x K."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from methods.recompute import chunk_elements


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
