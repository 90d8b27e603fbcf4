"""Tiles of latents compared with blocks of codewords on CUDA, from the nearest block on while one may hold a nearer.

The arithmetic is that of `nearest_triton`: three TF32 products, and a squared norm. **It has run in Triton's
interpreter, and was compiled for compute capability 8.0 and 9.0, but not yet run, or timed, on a GPU.**
"""

# ruff: noqa: N803 -- Triton's compile-time constants are upper case

import torch
import triton
import triton.language as tl
from torch import Tensor

from methods.parts.bounded_tiles import BLOCK, KEYS_ARE_OFF_BY, NO_CODE, TILE, Blocks, Search, Tiles
from methods.parts.nearest_triton import INTERPRETED, slice_depth, sliced_products, split, three_products


def compare_tiles(blocks: Blocks) -> Search:
    """The search in ``blocks``; their codewords are split once for all tiles."""
    dim = blocks.codewords.shape[1]
    depth = slice_depth(dim)
    high, low, squared_norms = split(blocks.codewords, depth)
    squared_norms[: len(blocks.codes)].masked_fill_(blocks.codes == NO_CODE, torch.inf)
    around, narrowing = blocks.boxes, blocks.directions.narrowing()

    def search(tiles: Tiles) -> tuple[Tensor, Tensor]:
        rows_high, rows_low, _ = split(tiles.latents, depth)
        points = tiles.points
        own = torch.where(points.counted, points.squares, -1.0)
        (count, num_blocks), device = tiles.queue.shape, own.device
        codes = torch.empty(count * TILE, dtype=torch.int32, device=device)
        compared = torch.empty(count, dtype=torch.int32, device=device)
        _tile_kernel[(count,)](
            rows_high, rows_low, points.places, points.lengths, points.squares, own,
            high, low, squared_norms, blocks.codes, around.low, around.high, around.reach, around.norms,
            tiles.bounds, tiles.queue, codes, compared, num_blocks,
            narrowing.factor, narrowing.slack, narrowing.least, KEYS_ARE_OFF_BY,
            WIDTH=high.shape[1], DEPTH=depth, COORDINATES=points.places.shape[1], ROWS=TILE, COLUMNS=BLOCK,
        )  # fmt: skip
        return codes, compared

    return search


def _configurations() -> list[triton.Config]:
    return [triton.Config({}, num_warps=warps) for warps in ((4,) if INTERPRETED else (2, 4, 8))]


@triton.autotune(configs=_configurations(), key=["WIDTH", "COORDINATES"])
@triton.jit
def _tile_kernel(  # type: ignore[no-untyped-def]
    latents_high, latents_low, places, reach, squares, own,
    codewords_high, codewords_low, squared_norms, originals, low, high, block_reach, block_norms,
    bounds, queue, codes, compared, num_blocks, factor, slack, least, tolerance,
    WIDTH: tl.constexpr, DEPTH: tl.constexpr, COORDINATES: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One tile of latents through its queue of blocks: the codes of the least keys, of equal ones the lowest."""
    tile = tl.program_id(0)
    rows = tile * ROWS + tl.arange(0, ROWS)
    dims, axes = tl.arange(0, DEPTH), tl.arange(0, COORDINATES)
    latent = rows.to(tl.int64)[:, None] * WIDTH + dims[None, :]
    place = tl.load(places + rows[:, None] * COORDINATES + axes[None, :])
    row_reach, row_norm, square = tl.load(reach + rows), tl.sqrt(tl.load(squares + rows)), tl.load(own + rows)
    counts = square >= 0
    best = tl.full([ROWS], float("inf"), tl.float32)
    code = tl.zeros([ROWS], tl.int32)
    if WIDTH == DEPTH:
        z_high = tl.load(latents_high + latent)
        z_low = tl.load(latents_low + latent)
    start = tile.to(tl.int64) * num_blocks
    turn, number = 0, 0
    bound, farthest = tl.load(bounds + start), float("inf")
    while (turn < num_blocks) & (bound <= farthest):
        block = tl.load(queue + start + turn)
        edge = block * COORDINATES + axes
        below, above = tl.load(low + edge)[None, :] - place, place - tl.load(high + edge)[None, :]
        gap = tl.maximum(tl.maximum(below, above), 0.0)
        far = tl.sqrt(tl.sum(gap * gap, axis=1)) * factor - slack * (row_reach + tl.load(block_reach + block)) - least
        far = tl.maximum(far, 0.0)
        norm = row_norm + tl.load(block_norms + block)
        # What is no number is not farther.
        nearer = counts & ~(far * far - tolerance * norm * norm > best + square)
        if tl.max(nearer.to(tl.int32), axis=0) > 0:
            columns = block * COLUMNS + tl.arange(0, COLUMNS)
            codeword = columns[None, :] * WIDTH + dims[:, None]
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
            nearest = tl.min(distance, axis=1)
            original = tl.load(originals + columns)[None, :]
            found = tl.min(tl.where(distance == nearest[:, None], original, 0x7FFFFFFF), axis=1)
            closer = (nearest < best) | ((nearest == best) & (found < code))
            best = tl.where(closer, nearest, best)
            code = tl.where(closer, found, code)
            number += 1
        farthest = tl.max(tl.where(counts, best + square, -float("inf")), axis=0)
        turn += 1
        bound = tl.load(bounds + start + turn, mask=turn < num_blocks, other=float("inf"))
    tl.store(codes + rows, code)
    tl.store(compared + tile, number)
