"""Contenders at the search for the nearest codeword, among random rows and in trained codebooks."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmark.perf.cases import (
    OURS,
    QUICK_SEARCH_SHAPES,
    QUICK_TRAINED_SHAPES,
    SEARCH_SHAPES,
    TRAINED_SHAPES,
    Contender,
    Group,
    Prepared,
    Shape,
    needs_a_gpu,
)
from benchmark.perf.trained import STAGES, successive_searches
from methods.parts.bounded_search import SearchMemory
from methods.parts.bounded_tiles import Choice, best_choice, search_in, surveyed
from methods.parts.nearest import compare_all, has_kernels, nearest_codes

ALL_PAIRS = "this project, all pairs"
"""Our search as it is where comparing few codewords would not pay."""
IN_TILES = "this project, in tiles"
"""Our search by bounds on a GPU, also where it is not chosen."""
_BLOCK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 27}
"""Of the product's buffer: what stays in a CPU's cache, and what fills a GPU."""


Pairs = Callable[[Shape, torch.device], list[tuple[Tensor, Tensor]]]
"""Latents ``[N, D]`` and codewords ``[K, D]`` of one search, or of several in turn."""
Search = Callable[[Tensor, Tensor], Any]


def random_rows(shape: Shape, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Both from N(0, 1), the same at every search."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(shape.rows, shape.dim, generator=generator)
    codewords = torch.randn(shape.size, shape.dim, generator=generator)
    return [(latents.to(device), codewords.to(device))]


def trained_rows(method: str, stage: str) -> Pairs:
    """Those of successive training steps, there and back: every search has a new batch, and codewords that moved."""

    def pairs(shape: Shape, device: torch.device) -> list[tuple[Tensor, Tensor]]:
        forth = successive_searches(method, shape, stage, device)
        return [*forth, *forth[-2:0:-1]]

    return pairs


def formula_codes(latents: Tensor, codewords: Tensor) -> Tensor:
    """The textbook: argmin of |z|² + |e|² - 2 z·e over a whole N x K tensor."""
    squares = latents.square().sum(1, keepdim=True) + codewords.square().sum(1)
    return (squares - 2 * latents @ codewords.T).argmin(1)


def _cdist_codes(latents: Tensor, codewords: Tensor) -> Tensor:
    return torch.cdist(latents, codewords).argmin(1)


def _ours() -> Search:
    return partial(nearest_codes, memory=SearchMemory())


def _in_tiles() -> Search:
    from methods.parts.bounded_triton import compare_tiles

    chosen: list[Choice] = []

    def search(latents: Tensor, codewords: Tensor) -> Tensor:
        if not chosen:
            found = surveyed(latents)
            assert found is not None, "latents that are all the same"
            chosen.append(best_choice(found, latents, codewords, compare_all))
        return search_in(chosen[0].directions, latents, codewords, compare_tiles)[0]

    return search


def _needs_kernels(device: torch.device) -> str | None:
    return None if has_kernels(device) else "needs a GPU of compute capability 8.0, and Triton"


def _faiss() -> Search:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    return lambda latents, codewords: faiss.knn(latents.numpy(), codewords.numpy(), 1)[1][:, 0]


def _needs_faiss(device: torch.device) -> str | None:
    if device.type != "cpu":
        return "runs on a CPU"
    try:
        import faiss  # noqa: F401
    except ImportError:
        return "faiss-cpu is not installed"
    return None


def _product(latents: Tensor, codewords: Tensor) -> None:
    """z·e for all pairs into one buffer, block after block: what any search by products has to do at least."""
    elements = _BLOCK_ELEMENTS[latents.device.type]
    height = min(len(latents), 1024 if latents.device.type == "cpu" else 1 << 14)
    width = max(1, min(len(codewords), elements // height))
    buffer = torch.empty(height * width, device=latents.device)
    for columns in codewords.split(width):
        for rows in latents.split(height):
            torch.mm(rows, columns.T, out=buffer[: len(rows) * len(columns)].view(len(rows), len(columns)))


def _tf32_product(latents: Tensor, codewords: Tensor) -> None:
    settings = torch.backends.cuda.matmul
    settings.allow_tf32 = True
    try:
        _product(latents, codewords)
    finally:
        settings.allow_tf32 = False


def _searching(name: str, begin: Callable[[], Search], pairs: Pairs, **limits: Any) -> Contender:
    """A contender that searches through ``pairs`` in turn, with what ``begin`` makes anew for each shape."""

    def prepare(shape: Shape, device: torch.device) -> Prepared:
        search, turns = begin(), itertools.cycle(pairs(shape, device))
        return lambda: search(*next(turns))

    return Contender(name, prepare, **limits)


def _always(search: Search) -> Callable[[], Search]:
    return lambda: search


def _contenders(pairs: Pairs, *others: Contender) -> tuple[Contender, ...]:
    return (
        _searching(OURS, _ours, pairs),
        _searching(ALL_PAIRS, _always(compare_all), pairs),
        _searching("faiss.knn", _faiss, pairs, requires=_needs_faiss),
        *others,
        _searching("matrix product alone", _always(_product), pairs),
        _searching("matrix product alone, TF32", _always(_tf32_product), pairs, requires=needs_a_gpu),
    )


SEARCH = Group(
    name="search",
    kind="search",
    title="search",
    contenders=_contenders(
        random_rows,
        _searching("torch.cdist, argmin", _always(_cdist_codes), random_rows, needs=lambda shape: shape.matrices(1.1)),
        _searching("formula, argmin", _always(formula_codes), random_rows, needs=lambda shape: shape.matrices(3.1)),
    ),
    shapes=SEARCH_SHAPES,
    quick_shapes=QUICK_SEARCH_SHAPES,
    memory_at=lambda shape: shape.rows == 6272,
)


def _trained(method: str, title: str, stage: str) -> Group:
    return Group(
        name=f"{method}_{stage}",
        kind="trained",
        title=f"{title}, {stage}",
        contenders=_contenders(
            trained_rows(method, stage),
            _searching(IN_TILES, _in_tiles, trained_rows(method, stage), requires=_needs_kernels),
        ),
        shapes=TRAINED_SHAPES[stage],
        quick_shapes=QUICK_TRAINED_SHAPES,
        memory_at=lambda shape: False,
        fewest_rounds=15,
    )


TRAINED = tuple(
    _trained(method, title, stage)
    for method, title in (("simvq", "SimVQ"), ("codebook_reset", "codebook reset"))
    for stage in STAGES
)
