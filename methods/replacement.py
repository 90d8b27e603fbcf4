"""What takes the place of dead codewords: random latents of the batch, the same on every process."""

import math

import torch
from torch import Tensor

from methods.statistics import broadcast, count_rows, random_rows


@torch.no_grad()
def candidate_rows(latents: Tensor, count: int) -> Tensor:
    """``count`` random rows of the whole batch ``[N, D]``.

    Where the batch has fewer rows, they are repeated and noise of standard deviation 0.01/√D tells the copies
    apart (Jukebox, arXiv 2005.00341, `_tile` of the authors' code).
    """
    latents = latents.detach().float()
    rows = random_rows(latents, count)
    if count > count_rows(latents):
        rows = rows + 0.01 / math.sqrt(rows.shape[1]) * broadcast(torch.randn_like(rows))
    return rows
