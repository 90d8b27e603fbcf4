"""The one search for the nearest codeword: exact, fp32, never an N x K tensor in memory."""

import faiss
import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.base import check_choice

_CHUNK_ELEMENTS = 1 << 23
"""Distances held at once by the chunked search: 32 MB in fp32."""


@torch.no_grad()
def nearest_codes(latents: Tensor, codewords: Tensor, metric: str = "euclidean") -> Tensor:
    """Index of the nearest codeword for each latent.

    Squared Euclidean distance or cosine similarity in fp32 whatever the autocast; the lowest index
    wins a tie. Swap the arguments to find each codeword's nearest latent.

    Args:
        latents: ``[N, D]``.
        codewords: ``[K, D]``.
        metric: ``euclidean`` or ``cosine``.

    Returns:
        int64 ``[N]``.
    """
    check_choice("metric", metric, ("euclidean", "cosine"))
    with torch.autocast(latents.device.type, enabled=False):
        latents, codewords = latents.detach().float(), codewords.detach().float()
        if metric == "cosine":
            latents, codewords = normalize(latents, dim=1), normalize(codewords, dim=1)
        if latents.device.type == "cpu":
            return _nearest_faiss(latents, codewords)
        return nearest_chunked(latents, codewords)


def _nearest_faiss(latents: Tensor, codewords: Tensor) -> Tensor:
    _, codes = faiss.knn(latents.contiguous().numpy(), codewords.contiguous().numpy(), 1)
    # faiss answers -1 for a NaN; code 0 keeps the run alive until its loss is seen to be NaN.
    return torch.from_numpy(codes[:, 0]).clamp_(min=0)


def nearest_chunked(latents: Tensor, codewords: Tensor) -> Tensor:
    """The reference: ``argmin_k |e_k|^2 - 2 z.e_k`` over chunks of latents, on any device."""
    squared_norms = codewords.square().sum(1)
    chunk = max(1, _CHUNK_ELEMENTS // codewords.shape[0])
    codes = [torch.addmm(squared_norms, rows, codewords.T, alpha=-2).argmin(1) for rows in latents.split(chunk)]
    return torch.cat(codes) if codes else torch.empty(0, dtype=torch.int64, device=latents.device)
