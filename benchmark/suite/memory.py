"""How much memory a quantizer needs, found without taking any: a codebook may be larger than all there is."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmark.machine import memory
from methods.core.base import Quantizer
from methods.core.sources import is_ours
from methods.core.usage import UsageError, in_words

LARGE = 2**28
"""Bytes of a codebook that is not built to look at it."""
_MOST = 2**63
"""Elements that a tensor can't have."""


class TooLargeError(UsageError):
    """A quantizer that is larger than the memory there is."""


def sizes(method: type[Quantizer], codebook_size: int, params: dict[str, Any]) -> tuple[int, ...]:
    """The level sizes of a method at a codebook size.

    Raises:
        UsageError: a parameter is unfit, the size can't be had, or a plug-in fails to say.
    """
    with _telling(method):
        return tuple(method.resolve_size(codebook_size, **params))


def digits(method: type[Quantizer], codebook_size: int, params: dict[str, Any]) -> tuple[int, ...]:
    """The sizes of the digits of a method's joint codes; errors as `sizes` has them."""
    with _telling(method):
        return tuple(method.resolve_digits(codebook_size, **params))


def build_once(method: type[Quantizer], size: int, dim: int, params: dict[str, Any]) -> None:
    """Build the method at a size that it can have, which checks its parameters; a large one without its memory.

    Raises:
        UsageError: a parameter is unfit, or a plug-in fails.
    """
    if _codebook_bytes(method, size, dim, params) < LARGE:
        with _telling(method), torch.random.fork_rng(devices=[]):
            method(size, dim, **params)
    else:
        bytes_needed(method, size, dim, params)


def check_memory(method: type[Quantizer], size: int, dim: int, params: dict[str, Any], device: str) -> None:
    """Raise a `TooLargeError` where the weights of the quantizer alone are more than a ``device`` of this machine has.

    On another machine, as Ray's, it may fit: without such a device here nothing is said.
    """
    if _codebook_bytes(method, size, dim, params) < LARGE or (there := memory(device)) is None:
        return
    needed = bytes_needed(method, size, dim, params)
    if needed is not None and needed > there:
        raise TooLargeError(
            f"`{method.name}` with {size:,} codes of {dim:,} numbers or more needs {needed / 1e9:,.0f} GB of memory "
            f"for its weights alone, and there are {there / 1e9:,.0f}; choose a smaller codebook_size or latent_dim"
        )


def bytes_needed(method: type[Quantizer], size: int, dim: int, params: dict[str, Any]) -> int | None:
    """Of the weights of the quantizer; None where it can't be built without memory (a plug-in that looks at values).

    Raises:
        UsageError: a parameter is unfit.
    """
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            built = method(size, dim, **params)
    except UsageError:
        raise
    except Exception:  # whatever a constructor does with a tensor that holds no values, or that can't be that large
        needed = _codebook_bytes(method, size, dim, params)
        return needed if needed >= _MOST else None
    return sum(value.numel() * value.element_size() for value in (*built.parameters(), *built.buffers()))


def _codebook_bytes(method: type[Quantizer], size: int, dim: int, params: dict[str, Any]) -> int:
    """Of a codeword for every code of every level, whether the method stores them or not."""
    return 4 * dim * sum(sizes(method, size, params))


@contextmanager
def _telling(method: type[Quantizer]) -> Iterator[None]:
    """What a plug-in raises within it, an exit too, becomes a sentence that says where."""
    try:
        yield
    except (UsageError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if is_ours(method):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        raise UsageError(f"method `{method.name}` can't be built: {in_words(error)} ({where})") from error
