"""Functions of N x K size in bounded memory: a chunk of rows at a time, computed anew in the backward pass."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

_CHUNK_ELEMENTS = 1 << 20
_GPU_CHUNK_ELEMENTS = 1 << 26


def chunk_elements(device: torch.device) -> int:
    """Elements of an N x K tensor to hold at once: 4 MB in fp32, which stay in a CPU's cache; 256 MB on a GPU.

    A small chunk would leave a GPU idle.
    """
    return _CHUNK_ELEMENTS if device.type == "cpu" else _GPU_CHUNK_ELEMENTS


def by_chunks(function: Callable[..., tuple[Tensor, ...]], *rows: Tensor, width: int) -> tuple[Tensor, ...]:
    """``function(*rows)`` for a function that treats each row alone, without keeping its inner tensors.

    Each of ``rows`` and of the results has the same first axis N; the inner tensors are ``[N, width]``. More
    than one chunk is recomputed in the backward pass with the random state it had, so that a random function
    draws the same again. What the function reads besides ``rows`` must not change before the backward pass.
    """
    size = max(1, chunk_elements(rows[0].device) // width)
    if rows[0].shape[0] <= size:
        return function(*rows)
    chunks = zip(*[tensor.split(size) for tensor in rows], strict=True)
    results = [checkpoint(function, *chunk, use_reentrant=False) for chunk in chunks]
    return tuple(torch.cat(parts) for parts in zip(*results, strict=True))
