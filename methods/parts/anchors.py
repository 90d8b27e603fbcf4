"""Anchors of CVQ-VAE: latents of the whole batch that codewords move to, the same on every process."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from methods.parts.nearest import nearest_codes
from methods.parts.processes import best_rows, broadcast, gather_rows
from methods.parts.recompute import by_chunks
from methods.parts.statistics import count_rows, random_rows

_TEMPERATURE = 0.07


def contrastive_loss(codebook: Tensor, rows: Tensor, metric: str) -> Tensor:
    """Cross-entropy, a codeword, of its similar latents against its dissimilar ones, at temperature 0.07.

    The positive is the mean similarity of the max(1, N // K) most similar rows of ``[N, D]``, the negatives are
    the N // 2 least similar; only the ``codebook [K, D]`` gets a gradient.
    """
    positives, negatives = max(1, len(rows) // len(codebook)), len(rows) // 2

    def of_codewords(codewords: Tensor) -> tuple[Tensor]:
        similarities = similarity(codewords, rows, metric)
        positive = similarities.topk(positives, sorted=False).values.mean(1, keepdim=True)
        negative = similarities.topk(negatives, largest=False, sorted=False).values
        logits = torch.cat([positive, negative], dim=1) / _TEMPERATURE
        return (
            cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=rows.device), reduction="none"),
        )

    (losses,) = by_chunks(of_codewords, codebook, width=len(rows))
    return losses.mean()


def similarity(codewords: Tensor, latents: Tensor, metric: str) -> Tensor:
    """``[K, N]`` of ``codewords [K, D]`` and ``latents [N, D]``: -|e - z|² (``euclidean``) or the cosine."""
    if metric == "cosine":
        return normalize(codewords, dim=1) @ normalize(latents, dim=1).T
    return 2 * codewords @ latents.T - codewords.square().sum(1)[:, None] - latents.square().sum(1)


@torch.no_grad()
def closest_latents(latents: Tensor, codewords: Tensor, metric: str) -> Tensor:
    """The latent of ``[N, D]`` most similar to each codeword: ``[K, D]``."""
    rows = latents[nearest_codes(codewords, latents, metric)]
    if metric == "cosine":
        return best_rows(rows, lambda rows: cosine_similarity(rows, codewords))
    return best_rows(rows, lambda rows: -(rows - codewords).square().sum(1))


@torch.no_grad()
def sampled_latents(latents: Tensor, codewords: Tensor, metric: str) -> Tensor:
    """For each codeword a latent drawn from the softmax of their similarities: ``[K, D]``."""
    latents = gather_rows(latents)
    levels = broadcast(torch.rand(codewords.shape[0], device=latents.device))

    def draw(codewords: Tensor, levels: Tensor) -> tuple[Tensor]:
        cumulative = similarity(codewords, latents, metric).softmax(1).cumsum(1)
        level = levels[:, None] * cumulative[:, -1:]
        return (torch.searchsorted(cumulative, level, right=True).squeeze(1).clamp(max=latents.shape[0] - 1),)

    (indices,) = by_chunks(draw, codewords, levels, width=latents.shape[0])
    return latents[indices]


class FeaturePool(nn.Module):
    """One latent a codeword, replaced by random ones of each batch; all at once where the batch is large enough.

    It starts at U(-1/K, 1/K) and fills from the front; once full, new latents take random places.
    """

    rows: Tensor
    filled: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.empty(size, dim).uniform_(-1 / size, 1 / size))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, latents: Tensor) -> Tensor:
        """Take in latents ``[N, D]`` of a batch and return the pool ``[K, D]``."""
        size, filled = self.rows.shape[0], int(self.filled)
        fresh = random_rows(latents, min(size, count_rows(latents)))
        empty = torch.arange(filled, min(size, filled + len(fresh)), device=latents.device)
        taken = broadcast(torch.randperm(size, device=latents.device))
        taken = taken[taken < filled][: len(fresh) - len(empty)]
        places = torch.cat([empty, taken])
        self.rows[places] = fresh[: len(places)]
        self.filled.fill_(filled + len(empty))
        return self.rows
