"""Lloyd's k-means on latents, for methods that start from data; also the reference where there is no encoder."""

from collections.abc import Iterator

import torch
from torch import Tensor

from methods.parts.bounded_search import SearchMemory
from methods.parts.nearest import nearest_codes
from methods.parts.processes import broadcast, gather_rows, own_rows
from methods.parts.statistics import code_counts, code_sums, count_rows, random_rows

_MIN_ROWS = 20_000
_POOL = 20


@torch.no_grad()
def kmeans(latents: Tensor, codebook_size: int, iterations: int = 20, start: Tensor | None = None) -> Tensor:
    """Centroids ``[K, D]`` of ``latents [N, D]``, from ``start [K, D]`` or random rows.

    A cluster that is empty restarts at a random row, but for the last iteration, where it keeps its
    place. Fewer rows than centroids leave repeated centroids.
    """
    latents = latents.detach().float()
    centroids = random_rows(latents, codebook_size) if start is None else start
    memory = SearchMemory()
    for iteration in range(iterations):
        codes = nearest_codes(latents, centroids, memory=memory)
        counts, sums = code_counts(codes, codebook_size), code_sums(latents, codes, codebook_size)
        if iteration < iterations - 1:
            centroids = random_rows(latents, codebook_size)
        centroids = torch.where((counts > 0)[:, None], sums / counts.clamp(min=1)[:, None], centroids)
    return centroids


@torch.no_grad()
def spread_rows(latents: Tensor, count: int) -> Tensor:
    """``count`` rows of ``latents [N, D]``, far from each other, to start from; time grows with ``count`` squared.

    k-means++ among 20 times as many rows drawn at random: each next one with a probability in proportion to its squared
    distance from the nearest so far. Arthur and Vassilvitskii, "k-means++", SODA 2007.
    """
    pool = random_rows(latents.detach().float(), min(count_rows(latents), _POOL * count))
    rows, distances = [pool[0]], torch.full((len(pool),), torch.inf, device=pool.device)
    for _ in range(count - 1):
        distances = torch.minimum(distances, (pool - rows[-1]).square().sum(1))
        chances = torch.where(distances.sum() > 0, distances, 1.0)  # all drawn already: any again
        rows.append(pool[broadcast(chances.multinomial(1))].squeeze(0))
    return torch.stack(rows)


def collect_rows(latents: Iterator[Tensor], codebook_size: int, per_codeword: int = 8) -> Tensor:
    """Rows ``[N, D]`` of as many batches as k-means wants: at least 20,000, and ``per_codeword`` times K.

    Of several processes each returns its part of the rows, which together are in the order in which one process
    would have them: batch after batch.
    """
    wanted = max(_MIN_ROWS, per_codeword * codebook_size)
    rows: list[Tensor] = []
    have = 0
    for batch in latents:
        whole = gather_rows(batch.detach().float().reshape(-1, batch.shape[-1]))
        rows.append(whole)
        have += len(whole)
        if have >= wanted:
            break
    return own_rows(torch.cat(rows))
