"""The one search for the nearest codeword: exact, fp32, never an N x K tensor in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from methods.core.usage import check_choice
from methods.parts.bounded_search import SearchMemory, search_bounded
from methods.parts.bounded_tiles import search_tiles
from methods.parts.precision import full_precision

try:
    import faiss
except ImportError:  # GPU machines often have no faiss; the search by blocks serves there.
    faiss = None  # type: ignore[assignment]

Search = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""fp32 latents ``[N, D]`` and codewords ``[K, D]`` -> distances ``[N]`` less any constant of the row, codes ``[N]``."""

TOLERANCE = 2.0**-18
"""The code found is the nearest but for codewords whose squared distances from z differ by less than
this times (|z| + |e|)², the scale on which fp32 rounds ``|e|² - 2 z·e``."""

_PANEL_ELEMENTS = 1 << 21
"""Elements of the latents and of the codewords that one call of a backend takes: 8 MB each in fp32."""
_KEY_ELEMENTS = 1 << 18
"""Elements whose keys are computed at once, so that they stay in the cache."""
_GROUP = 64
"""Distances a row whose minimum is taken first: a minimum is vectorised, an argmin is not."""


@torch.no_grad()
def nearest_codes(
    latents: Tensor, codewords: Tensor, metric: str = "euclidean", memory: SearchMemory | None = None
) -> Tensor:
    """Index of the nearest codeword for each latent.

    Squared Euclidean distance or cosine similarity in fp32 whatever the autocast; of equal codewords
    the lowest index wins. Swap the arguments to find each codeword's nearest latent. Memory beyond the
    arguments does not grow with N x K. A latent that holds NaN gets some valid code.

    Args:
        latents: ``[N, D]``.
        codewords: ``[K, D]``, K at least 1.
        metric: ``euclidean`` or ``cosine``.
        memory: of earlier searches in the same codebook, for speed: no code depends on it, but on a GPU where two
            are near within `TOLERANCE`.

    Returns:
        int64 ``[N]``.
    """
    check_choice("metric", metric, ("euclidean", "cosine"))
    assert codewords.shape[0] > 0, "a codebook without codewords"
    assert latents.shape[1] == codewords.shape[1], (latents.shape, codewords.shape)
    latents, codewords = latents.detach(), codewords.detach()
    if torch.compiler.is_compiling():
        return _nearest_codes_in_a_graph(latents, codewords, metric)
    return _nearest_codes(latents, codewords, metric, memory)


def _nearest_codes(latents: Tensor, codewords: Tensor, metric: str, memory: SearchMemory | None = None) -> Tensor:
    dense, codes = partial(_dense, metric=metric), None
    if latents.device.type == "cpu":
        codes = search_bounded(latents, codewords, dense, memory)
    elif memory is not None and has_kernels(latents.device):
        from methods.parts.bounded_triton import compare_tiles

        codes = search_tiles(latents, codewords, dense, compare_all, compare_tiles, memory.tiles)
    return compare_all(latents, codewords, metric) if codes is None else codes


@torch.library.custom_op("codebook_bench::nearest_codes", mutates_args=())
def _nearest_codes_in_a_graph(latents: Tensor, codewords: Tensor, metric: str) -> Tensor:
    """The search as one operator of a graph, into which `torch.compile` and `torch.export` do not look."""
    return _nearest_codes(latents, codewords, metric)


@_nearest_codes_in_a_graph.register_fake
def _(latents: Tensor, codewords: Tensor, metric: str) -> Tensor:
    return latents.new_empty(latents.shape[0], dtype=torch.int64)


@torch.no_grad()
def compare_all(latents: Tensor, codewords: Tensor, metric: str = "euclidean") -> Tensor:
    """`nearest_codes` by products of all latents with all codewords, in panels."""
    search, ties_are_kept = _search_for(latents.device)
    lowest = None if ties_are_kept else _lowest_with_equal_key(codewords)
    found = [
        _nearest_over_panels(search, rows, _panels(codewords, metric, _PANEL_ELEMENTS))
        for rows in _panels(latents, metric, _PANEL_ELEMENTS)
    ]
    codes = found[0] if len(found) == 1 else torch.cat(found)
    return codes if lowest is None else _lowest_of_equals(codes, lowest, codewords)


def _nearest_over_panels(search: Search, rows: Tensor, panels: Iterator[Tensor]) -> Tensor:
    panel = next(panels)
    best, codes = search(rows, panel)
    start = panel.shape[0]
    for panel in panels:
        distances, found = search(rows, panel)
        closer = distances < best
        best = torch.where(closer, distances, best)
        codes = torch.where(closer, found + start, codes)
        start += panel.shape[0]
    return codes


def _panels(rows: Tensor, metric: str, elements: int) -> Iterator[Tensor]:
    for panel in rows.split(max(1, elements // max(1, rows.shape[1]))):
        yield _dense(panel, metric)


def _dense(rows: Tensor, metric: str) -> Tensor:
    """Rows as they are compared: fp32, one after another."""
    rows = rows.float()
    return (normalize(rows, dim=1) if metric == "cosine" else rows).contiguous()


@cache
def _search_for(device: torch.device) -> tuple[Search, bool]:
    """The backend, and whether it rounds equal codewords equally wherever they stand."""
    if device.type == "cpu" and faiss is not None:
        return search_faiss, False
    if has_kernels(device):
        from methods.parts.nearest_triton import search_triton

        return search_triton, True
    return search_blocks, False


@cache
def has_kernels(device: torch.device) -> bool:
    """Whether it is a GPU for which the kernels are written, and Triton is there."""
    if device.type != "cuda" or torch.version.hip is not None or torch.cuda.get_device_capability(device) < (8, 0):
        return False
    try:
        import triton  # noqa: F401
    except ImportError:
        return False
    return True


def search_faiss(latents: Tensor, codewords: Tensor) -> tuple[Tensor, Tensor]:
    """faiss on as many threads as torch has: a fused kernel up to D = 16, BLAS beyond."""
    # faiss has an OpenMP runtime of its own, and spinning on more threads than cores costs it a factor of ten.
    faiss.omp_set_num_threads(torch.get_num_threads())
    with _faiss_settings():
        distances, codes = faiss.knn(latents.numpy(), codewords.numpy(), 1)
    # Where every distance is NaN it answers -1, or, in older versions, whatever was in memory.
    codes[(codes < 0) | (codes >= len(codewords))] = 0
    return torch.from_numpy(distances.ravel()), torch.from_numpy(codes.ravel())


@contextmanager
def _faiss_settings() -> Iterator[None]:
    # By its own rule faiss takes one latent at a time where N x D is below 128,000: 4 to 16 times slower.
    # Blocks of 1,024 latents instead of 4,096 stay nearer to the processor: 3 to 10 % faster.
    settings = {"distance_compute_blas_threshold": 0, "distance_compute_blas_query_bs": 1024}
    before = {name: getattr(faiss.cvar, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(faiss.cvar, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(faiss.cvar, name, value)


def search_blocks(latents: Tensor, codewords: Tensor) -> tuple[Tensor, Tensor]:
    """``min_k |e_k|² - 2 z·e_k`` in blocks of latents x codewords, on any device; also the reference."""
    height, width = (1024, 2048) if latents.device.type == "cpu" else (4096, 8192)
    height, width = max(1, min(height, latents.shape[0])), min(width, -(-codewords.shape[0] // _GROUP) * _GROUP)
    block = torch.empty(height, width, device=latents.device)
    best = torch.full((latents.shape[0],), torch.inf, device=latents.device)
    codes = torch.zeros_like(best, dtype=torch.int64)
    for start in range(0, codewords.shape[0], width):
        columns = codewords[start : start + width]
        squared_norms = columns.square().sum(1)
        block[:, columns.shape[0] :] = torch.inf
        for first in range(0, latents.shape[0], height):
            rows = latents[first : first + height]
            distances = block[: rows.shape[0]]
            with full_precision(latents.device):
                torch.addmm(squared_norms, rows, columns.T, alpha=-2, out=distances[:, : columns.shape[0]])
            nearest, found = _min_by_groups(distances)
            here = slice(first, first + rows.shape[0])
            closer = nearest < best[here]
            best[here] = torch.where(closer, nearest, best[here])
            codes[here] = torch.where(closer, found + start, codes[here])
    return best, codes


def _min_by_groups(distances: Tensor) -> tuple[Tensor, Tensor]:
    grouped = distances.view(distances.shape[0], -1, _GROUP)
    nearest, group = grouped.amin(2).min(1)
    within = grouped[torch.arange(group.shape[0], device=group.device), group].argmin(1)
    return nearest, group * _GROUP + within


def _lowest_with_equal_key(codewords: Tensor) -> Tensor | None:
    """For each row of ``[K, D]`` the lowest index with the same key, or None where all keys differ.

    A matrix product may round the same row differently at the edge of a block, so that of two equal
    codewords the later seems nearer. Rows equal bit for bit are therefore found by keys in integers.
    """
    # On a CPU alone: elsewhere a condition would wait for the device.
    if codewords.device.type == "cpu" and not _beginnings_repeat(codewords):
        return None
    panels = _panels(codewords, "euclidean", _KEY_ELEMENTS)
    keys, order = torch.cat([_row_keys(panel) for panel in panels]).sort(stable=True)
    repeated = keys[1:] == keys[:-1]
    position = torch.arange(keys.shape[0], device=keys.device)
    group = torch.where(pad(repeated, (1, 0)), 0, position).cummax(0).values
    return torch.empty_like(order).scatter_(0, order, order[group])


def _lowest_of_equals(codes: Tensor, lowest: Tensor, codewords: Tensor) -> Tensor:
    rows = max(1, _PANEL_ELEMENTS // codewords.shape[1])
    result = []
    for code in codes.split(rows):
        candidate = lowest[code]
        equal = (codewords[candidate] == codewords[code]).all(1)  # keys of unequal rows may coincide
        result.append(torch.where(equal, candidate, code))
    return torch.cat(result)


def _beginnings_repeat(codewords: Tensor) -> bool:
    """Whether two rows of ``[K, D]`` agree in their first two numbers, as equal rows do and others hardly ever."""
    # NumPy's sort of integers is vectorised: three times as fast as torch's, which returns an order besides.
    beginnings = np.sort(_as_integers(codewords[:, :2].float()).numpy(), axis=None)
    return bool((beginnings[1:] == beginnings[:-1]).any())


def _row_keys(rows: Tensor) -> Tensor:
    """A 64-bit key of each row of fp32 ``[K, D]``: rows equal bit for bit have equal keys, others hardly ever."""
    pairs = _as_integers(rows)
    return (pairs * _multipliers(pairs.shape[1], pairs.device)).sum(1)


def _as_integers(rows: Tensor) -> Tensor:
    """The bits of each pair of numbers of fp32 ``[K, D]`` as int64 ``[K, ceil(D / 2)]``."""
    even = pad(rows, (0, 1)) if rows.shape[1] % 2 else rows
    # Flat first: a single row cut from wider ones counts as contiguous and yet keeps their stride.
    return even.contiguous().flatten().view(torch.int64).view(rows.shape[0], -1)


@cache
def _multipliers(count: int, device: torch.device) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.randint(-(2**62), 2**62, (count,), generator=generator) | 1).to(device)
