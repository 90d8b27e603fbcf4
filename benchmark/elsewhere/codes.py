"""Measures of codes that somebody has: usage and what goes with it, and the latents where they are there too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmark.elsewhere.arrays import Given, Source, kind_of, read_array
from benchmark.machine import main_memory
from benchmark.metrics.base import Value
from benchmark.metrics.codes import CodeStatistics, QuantizationError, effective_ranks
from methods.core.usage import UsageError, check_count
from methods.parts.nearest import nearest_codes

ROWS = 2**16  # taken at a time
_BYTES = 32
"""That counting takes for each codeword: its count, and what entropy and perplexity are computed from."""


@dataclass(frozen=True)
class OfCodes:
    """``metrics`` of the codes, ``counts`` int64 ``[K_l]`` of each level, ``sources``: SHA-256 of what they are of."""

    metrics: dict[str, Value]
    counts: list[np.ndarray]
    level_sizes: list[int]
    sources: dict[str, str]


def measure_codes(
    codes: Source | None, sizes: Sequence[int], codewords: Source | None, latents: Source | None
) -> OfCodes:
    """See `measure`; without ``codes`` each latent gets that of the nearest codeword.

    Raises:
        UsageError: codes that are no whole numbers from -1 to K - 1, or shapes that do not go together.
    """
    given = {"codes": codes, "codewords": codewords, "latents": latents}
    found = {what: read_array(what, source) for what, source in given.items() if source is not None}
    rows = found.get("codes")
    levels = _codewords(found["codewords"]) if "codewords" in found else None
    flat = _latents(found["latents"], levels) if "latents" in found else None
    sizes = _sizes(sizes, levels)
    if rows is not None:
        indices = _indices(rows, sizes)
    elif flat is not None and levels is not None:
        indices = _nearest(flat, levels)
    else:
        raise UsageError("there is nothing to count: give codes, or latents and codewords")
    if flat is not None and len(flat) != len(indices):
        raise UsageError(f"there are {len(indices):,} codes a level and {len(flat):,} latents; one latent has one code")
    statistics = CodeStatistics(sizes, "cpu")
    for chunk in indices.split(ROWS):
        statistics.update(chunk)
    counts = statistics.counts
    metrics = {
        **statistics.compute(),
        **(effective_ranks(levels, counts) if levels else {}),
        **_error(indices, levels, flat),
    }
    return OfCodes(metrics, counts, sizes, {what: one.sha256 for what, one in found.items()})


def _sizes(sizes: Sequence[int], levels: list[Tensor] | None) -> list[int]:
    found = [check_count("the codebook size", size) for size in sizes]
    if sum(found) * _BYTES > main_memory():
        raise UsageError(f"counting codes of {sum(found):,} codewords takes more memory than this machine has")
    if levels is not None:
        own = [len(level) for level in levels]
        if found and found != own:
            raise UsageError(f"the codebook size is {_listed(found)}, but there are {_listed(own)} codewords")
        found = own
    if not found:
        raise UsageError("the codebook size is missing: without it nobody knows how many codewords were never used")
    return found


def _codewords(given: Given) -> list[Tensor]:
    values = given.values
    if values.dim() not in (2, 3) or not values.is_floating_point():
        raise UsageError(f"{given.name} must be floats of shape [K, D], or [levels, K, D], not {given.shape}")
    return list(values.float().reshape(-1, *values.shape[-2:]))


def _latents(given: Given, levels: list[Tensor] | None) -> Tensor:
    if levels is None:
        raise UsageError("latents alone say nothing of a quantizer: give the codewords too")
    values, width = given.values, levels[0].shape[1]
    if values.dim() < 2 or not values.is_floating_point() or values.shape[-1] != width:
        raise UsageError(
            f"{given.name} must be floats of shape [..., {width}], as wide as the codewords, not {given.shape}"
        )
    return values.float().reshape(-1, width)


def _indices(given: Given, sizes: list[int]) -> Tensor:
    """Codes int64 ``[N, levels]``."""
    values = given.values
    if values.is_floating_point() or values.dtype == torch.bool:
        raise UsageError(f"{given.name} must be whole numbers, not {kind_of(values)}")
    if len(sizes) > 1 and (values.dim() < 2 or values.shape[-1] != len(sizes)):
        raise UsageError(
            f"{given.name}: the codebook sizes {_listed(sizes)} are of {len(sizes)} levels, which stand in the last "
            f"axis, not in shape {list(values.shape)}"
        )
    indices = values.long().reshape(-1, len(sizes))
    for level, (column, size) in enumerate(zip(indices.unbind(1), sizes, strict=True), 1):
        low, high = int(column.min()), int(column.max())
        where = f" of level {level}" if len(sizes) > 1 else ""
        if low < -1 or high >= size:
            wrong = low if low < -1 else high
            raise UsageError(
                f"{given.name}{where} lie from 0 to {size - 1:,} (-1 where one is dropped), not at {wrong:,}"
            )
        if high < 0:
            raise UsageError(f"{given.name}{where} are all -1, which stands for a dropped one: none is left to count")
    return indices


def _nearest(latents: Tensor, levels: list[Tensor]) -> Tensor:
    if len(levels) > 1:
        raise UsageError("how several levels share a latent is not known: give the codes too")
    return torch.cat([nearest_codes(chunk, levels[0]) for chunk in latents.split(ROWS)])[:, None]


def _error(indices: Tensor, levels: list[Tensor] | None, latents: Tensor | None) -> dict[str, Value]:
    """Of the codewords that the codes name, summed over levels as a residual quantizer's are."""
    if levels is None or latents is None:
        return {}
    error = QuantizationError("cpu")
    for rows, codes in zip(latents.split(ROWS), indices.split(ROWS), strict=True):
        total = torch.zeros_like(rows)
        for level, column in zip(levels, codes.unbind(1), strict=True):
            total += level[column.clamp_min(0)] * (column >= 0)[:, None]
        error.update(rows, total)
    return {"quantization_error": error.compute()}


def _listed(sizes: Sequence[int]) -> str:
    return " and ".join(f"{size:,}" for size in sizes)
