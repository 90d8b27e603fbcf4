"""Lloyd's k-means on latents, for methods that start from data; also the reference where there is no encoder."""

from collections.abc import Iterator

import torch
from torch import Tensor

from methods.nearest import nearest_codes
from methods.statistics import code_counts, code_sums, gather_rows, own_rows, random_rows

_MIN_ROWS = 20_000


@torch.no_grad()
def kmeans(latents: Tensor, codebook_size: int, iterations: int = 20) -> Tensor:
    """Centroids ``[K, D]`` of ``latents [N, D]``, starting from random rows.

    A cluster that is empty restarts at a random row, but for the last iteration, where it keeps its
    place. Fewer rows than centroids leave repeated centroids.
    """
    latents = latents.detach().float()
    centroids = random_rows(latents, codebook_size)
    for iteration in range(iterations):
        codes = nearest_codes(latents, centroids)
        counts, sums = code_counts(codes, codebook_size), code_sums(latents, codes, codebook_size)
        if iteration < iterations - 1:
            centroids = random_rows(latents, codebook_size)
        centroids = torch.where((counts > 0)[:, None], sums / counts.clamp(min=1)[:, None], centroids)
    return centroids


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
