"""Contenders at the search for the nearest codeword."""

import torch
from torch import Tensor

from benchmark.perf.cases import OURS, QUICK_SEARCH_SHAPES, SEARCH_SHAPES, Contender, Group, Prepared, Shape
from methods.parts.nearest import nearest_codes

_BLOCK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 27}
"""Of the product's buffer: what stays in a CPU's cache, and what fills a GPU."""


def inputs(shape: Shape, device: torch.device) -> tuple[Tensor, Tensor]:
    """Latents ``[N, D]`` and codewords ``[K, D]`` from N(0, 1)."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(shape.rows, shape.dim, generator=generator)
    codewords = torch.randn(shape.size, shape.dim, generator=generator)
    return latents.to(device), codewords.to(device)


def formula_codes(latents: Tensor, codewords: Tensor) -> Tensor:
    """The textbook: argmin of |z|² + |e|² - 2 z·e over a whole N x K tensor."""
    squares = latents.square().sum(1, keepdim=True) + codewords.square().sum(1)
    return (squares - 2 * latents @ codewords.T).argmin(1)


def _ours(shape: Shape, device: torch.device) -> Prepared:
    latents, codewords = inputs(shape, device)
    return lambda: nearest_codes(latents, codewords)


def _faiss(shape: Shape, device: torch.device) -> Prepared:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    latents, codewords = (rows.numpy() for rows in inputs(shape, device))
    return lambda: faiss.knn(latents, codewords, 1)[1][:, 0]


def _needs_faiss(device: torch.device) -> str | None:
    if device.type != "cpu":
        return "runs on a CPU"
    try:
        import faiss  # noqa: F401
    except ImportError:
        return "faiss-cpu is not installed"
    return None


def _cdist(shape: Shape, device: torch.device) -> Prepared:
    latents, codewords = inputs(shape, device)
    return lambda: torch.cdist(latents, codewords).argmin(1)


def _formula(shape: Shape, device: torch.device) -> Prepared:
    latents, codewords = inputs(shape, device)
    return lambda: formula_codes(latents, codewords)


def _product(shape: Shape, device: torch.device) -> Prepared:
    """z·e for all pairs into one buffer, block after block: what any search by products has to do at least."""
    latents, codewords = inputs(shape, device)
    elements = _BLOCK_ELEMENTS[device.type]
    height = min(shape.rows, 1024 if device.type == "cpu" else 1 << 14)
    width = max(1, min(shape.size, elements // height))
    buffer = torch.empty(height * width, device=device)

    def product() -> None:
        for columns in codewords.split(width):
            for rows in latents.split(height):
                block = buffer[: len(rows) * len(columns)].view(len(rows), len(columns))
                torch.mm(rows, columns.T, out=block)

    return product


def _tf32_product(shape: Shape, device: torch.device) -> Prepared:
    product, settings = _product(shape, device), torch.backends.cuda.matmul

    def with_tf32() -> None:
        settings.allow_tf32 = True
        try:
            product()
        finally:
            settings.allow_tf32 = False

    return with_tf32


SEARCH = Group(
    name="search",
    kind="search",
    title="search",
    contenders=(
        Contender(OURS, _ours),
        Contender("faiss.knn", _faiss, requires=_needs_faiss),
        Contender("torch.cdist, argmin", _cdist, needs=lambda shape: shape.matrices(1.1)),
        Contender("formula, argmin", _formula, needs=lambda shape: shape.matrices(3.1)),
        Contender("matrix product alone", _product),
        Contender(
            "matrix product alone, TF32",
            _tf32_product,
            requires=lambda device: None if device.type == "cuda" else "needs a GPU",
        ),
    ),
    shapes=SEARCH_SHAPES,
    quick_shapes=QUICK_SEARCH_SHAPES,
    memory_at=lambda shape: shape.rows == 6272,
)
