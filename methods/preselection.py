"""The few nearest codewords of each latent, for methods that try more than one."""

import torch
from torch import Tensor

_CHUNK_ELEMENTS = 1 << 22
"""Distances held at once: 16 MB in fp32."""


@torch.no_grad()
def nearest_candidates(latents: Tensor, codewords: Tensor, count: int) -> Tensor:
    """Codes ``[N, count]`` of the nearest of ``codewords [K, D]`` to each of ``latents [N, D]``, nearest first."""
    squared_norms = codewords.square().sum(1)
    found = [
        torch.addmm(squared_norms, rows, codewords.T, alpha=-2).topk(count, dim=1, largest=False).indices
        for rows in latents.split(max(1, _CHUNK_ELEMENTS // codewords.shape[0]))
    ]
    return torch.cat(found)
