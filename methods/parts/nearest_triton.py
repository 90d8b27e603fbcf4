"""Nearest codeword on CUDA: squared distances and their running argmin in one pass over the codewords.

Each fp32 number is split into two TF32 numbers, x = high + low, and z·e is summed on the tensor cores as
low·high + high·low + high·high. What is left out is about 2⁻²² of a product: three TF32 products, fp32 accuracy.
"""

# ruff: noqa: N803 -- Triton's compile-time constants are upper case

import torch
import triton
import triton.language as tl
from torch import Tensor

INTERPRETED = triton.knobs.runtime.interpret
_TILE = 64 if INTERPRETED else 128
"""Rows are padded to a multiple of this; the tiles of every configuration divide it."""
_MAX_RESIDENT = 64
"""The largest dimension at which a tile of latents stays on the chip; larger ones go by slices of half of it."""
_SPLIT_ROWS = 64 if INTERPRETED else 16
"""Rows that a program splits: in the interpreter the time is that of the programs, however long their rows."""


def search_triton(latents: Tensor, codewords: Tensor) -> tuple[Tensor, Tensor]:
    """Distances less |z|² ``[N]`` and codes ``[N]`` of fp32 latents ``[N, D]`` and codewords ``[K, D]`` on a GPU."""
    (n, dim), device = latents.shape, latents.device
    if n == 0:
        return latents.new_empty(0), torch.empty(0, dtype=torch.int64, device=device)
    depth = slice_depth(dim)
    latents_high, latents_low, _ = split(latents, depth)
    codewords_high, codewords_low, squared_norms = split(codewords, depth)
    (rows, width), columns = latents_high.shape, codewords_high.shape[0]
    part = _part_size(rows, columns, device)
    parts = triton.cdiv(columns, part)
    distances = torch.empty(parts, rows, device=device)
    codes = torch.empty(parts, rows, dtype=torch.int32, device=device)
    _nearest_kernel[lambda config: (rows // config["ROWS"], parts)](
        latents_high, latents_low, codewords_high, codewords_low, squared_norms, distances, codes,
        rows, columns, part, WIDTH=width, DEPTH=depth,
    )  # fmt: skip
    nearest, which = distances[:, :n].min(0)  # the first part that has it, so the lowest code
    return nearest, codes[:, :n].gather(0, which[None])[0].long()


def slice_depth(dim: int) -> int:
    """Dimensions that go onto the chip at a time."""
    return max(16, triton.next_power_of_2(dim)) if dim <= _MAX_RESIDENT else _MAX_RESIDENT // 2


def split(vectors: Tensor, depth: int) -> tuple[Tensor, Tensor, Tensor]:
    """High and low parts, padded with zeros to whole tiles, and squared norms, infinite for the padding."""
    count, dim = vectors.shape
    rows, width = triton.cdiv(count, _TILE) * _TILE, triton.cdiv(dim, depth) * depth
    high, low = vectors.new_empty(rows, width), vectors.new_empty(rows, width)
    squared_norms = vectors.new_empty(rows)
    _split_kernel[(rows // _SPLIT_ROWS,)](
        vectors, high, low, squared_norms, count, dim, WIDTH=width, DEPTH=depth, ROWS=_SPLIT_ROWS
    )
    return high, low, squared_norms


def _part_size(rows: int, columns: int, device: torch.device) -> int:
    """Codewords that one program goes through, so that there are about four programs to a multiprocessor."""
    if INTERPRETED:
        return 2 * _TILE
    programs = 4 * torch.cuda.get_device_properties(device).multi_processor_count
    parts = max(1, min(programs // (rows // _TILE), columns // (8 * _TILE)))
    return triton.cdiv(triton.cdiv(columns, parts), _TILE) * _TILE


def _configurations() -> list[triton.Config]:
    """Tiles of latents x codewords, from the largest GPUs to those with 100 kB of shared memory."""
    sizes = [(128, 128, 8, 2), (128, 64, 4, 3), (128, 64, 4, 2), (64, 64, 4, 2), (64, 32, 4, 2)]
    if INTERPRETED:
        sizes = [(64, 32, 4, 2)]
    return [triton.Config({"ROWS": r, "COLUMNS": c}, num_warps=w, num_stages=s) for r, c, w, s in sizes]


@triton.jit
def _to_tf32(x):  # type: ignore[no-untyped-def]
    """Round to the 10 mantissa bits that tensor cores keep."""
    return ((x.to(tl.int32, bitcast=True) + 0x1000) & -0x2000).to(tl.float32, bitcast=True)


@triton.jit
def _split_kernel(  # type: ignore[no-untyped-def]
    vectors, high, low, squared_norms, count, dim, WIDTH: tl.constexpr, DEPTH: tl.constexpr, ROWS: tl.constexpr
):
    """Vectors ``[count, dim]`` -> high and low ``[rows, WIDTH]`` and squared norms ``[rows]``.

    Infinities and NaN become zeros with an infinite norm: no such codeword is ever the nearest.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    wide_rows = rows.to(tl.int64)[:, None]
    squares = tl.zeros([ROWS, DEPTH], tl.float32)
    for offset in range(0, WIDTH, DEPTH):
        dims = (offset + tl.arange(0, DEPTH))[None, :]
        x = tl.load(vectors + wide_rows * dim + dims, mask=(rows[:, None] < count) & (dims < dim), other=0.0)
        squares += x * x
        x = tl.where(tl.abs(x) < float("inf"), x, 0.0)
        x_high = _to_tf32(x)
        tl.store(high + wide_rows * WIDTH + dims, x_high)
        tl.store(low + wide_rows * WIDTH + dims, _to_tf32(x - x_high))
    norms = tl.sum(squares, axis=1)
    tl.store(squared_norms + rows, tl.where((rows < count) & (norms == norms), norms, float("inf")))


@triton.jit
def three_products(z_high, z_low, e_high, e_low, product):  # type: ignore[no-untyped-def]
    """Add z·e, but for low·low, to ``product``: the smallest parts first."""
    product = tl.dot(z_low, e_high, product, input_precision="tf32")
    product = tl.dot(z_high, e_low, product, input_precision="tf32")
    return tl.dot(z_high, e_high, product, input_precision="tf32")


@triton.jit
def sliced_products(  # type: ignore[no-untyped-def]
    latents_high, latents_low, latent, codewords_high, codewords_low, codeword, product,
    WIDTH: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """`three_products` of rows that are too wide for the chip, a slice at a time."""
    for offset in range(0, WIDTH, DEPTH):
        z_high = tl.load(latents_high + latent + offset)
        z_low = tl.load(latents_low + latent + offset)
        e_high = tl.load(codewords_high + codeword + offset)
        e_low = tl.load(codewords_low + codeword + offset)
        product = three_products(z_high, z_low, e_high, e_low, product)
    return product


@triton.autotune(configs=_configurations(), key=["WIDTH"])
@triton.jit
def _nearest_kernel(  # type: ignore[no-untyped-def]
    latents_high, latents_low, codewords_high, codewords_low, squared_norms, distances, codes,
    num_rows, num_columns, part,
    WIDTH: tl.constexpr, DEPTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One tile of latents against one part of the codewords: the part's least distances and their codes."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    dims = tl.arange(0, DEPTH)
    latent = rows.to(tl.int64)[:, None] * WIDTH + dims[None, :]
    best = tl.full([ROWS], float("inf"), tl.float32)
    code = tl.zeros([ROWS], tl.int32)
    if WIDTH == DEPTH:
        z_high = tl.load(latents_high + latent)
        z_low = tl.load(latents_low + latent)
    start = tl.program_id(1) * part
    for first in range(start, tl.minimum(start + part, num_columns), COLUMNS):
        columns = first + tl.arange(0, COLUMNS)
        codeword = columns.to(tl.int64)[None, :] * WIDTH + dims[:, None]
        product = tl.zeros([ROWS, COLUMNS], tl.float32)
        if WIDTH == DEPTH:
            e_high = tl.load(codewords_high + codeword)
            e_low = tl.load(codewords_low + codeword)
            product = three_products(z_high, z_low, e_high, e_low, product)
        else:
            product = sliced_products(
                latents_high, latents_low, latent, codewords_high, codewords_low, codeword, product, WIDTH, DEPTH
            )
        distance = tl.load(squared_norms + columns)[None, :] - 2 * product
        nearest, column = tl.min(distance, axis=1, return_indices=True)
        closer = nearest < best
        best = tl.where(closer, nearest, best)
        code = tl.where(closer, first + column, code)
    output = tl.program_id(1).to(tl.int64) * num_rows + rows
    tl.store(distances + output, best)
    tl.store(codes + output, code)
