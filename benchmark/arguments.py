"""What somebody gave a function of the Python door, checked and made plain; each mistake is told in one sentence."""

import operator
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from methods.core.usage import UsageError


def plain(what: str, value: Any) -> Any:
    """``value``, called ``what``, of the types that a YAML file has; numbers and arrays of NumPy as Python's.

    Raises:
        UsageError: something in it is of another type, or a key is no word.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [plain(f"{what}.{index}", inner) for index, inner in enumerate(value)]
    if not isinstance(value, Mapping):
        wanted = "words, numbers, lists and mappings, as a YAML file does"
        raise UsageError(f"`{what}` must be made of {wanted}, not of {type(value).__name__}")
    for key in value:
        if not isinstance(key, str):
            raise UsageError(f"`{what}` has the key {key!r}, and a key must be a word")
    return {key: plain(f"{what}.{key}", inner) for key, inner in value.items()}


def mapping(what: str, value: Any) -> dict[str, Any]:
    """A mapping of words to plain values; empty for None.

    Raises:
        UsageError: it is none.
    """
    if value is not None and not isinstance(value, Mapping):
        raise UsageError(f"`{what}` must be a mapping, as in {{'name': value}}, not {value!r}")
    return dict(plain(what, {} if value is None else value))


def names(what: str, value: Any) -> list[str] | None:
    """A list of names, of one at least; None where none was given.

    Raises:
        UsageError: it is no such list.
    """
    if value is None:
        return None
    found = list(value) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else []
    if not found or not all(isinstance(name, str) for name in found):
        raise UsageError(f"`{what}` must be a list of names, as in ['simvq'], not {value!r}")
    return found


def whole_numbers(what: str, value: Any, least: int = 0) -> list[int] | None:
    """A list of different whole numbers from ``least``, of one at least; None where none was given.

    Raises:
        UsageError: it is no such list.
    """
    if value is None:
        return None
    found = [whole(number) for number in value] if isinstance(value, Iterable) else []
    numbers = [number for number in found if number is not None and number >= least]
    if not found or len(numbers) < len(found) or len(set(numbers)) < len(numbers):
        raise UsageError(
            f"`{what}` must be a list of different whole numbers from {least}, as in [0, 1], not {value!r}"
        )
    return numbers


def whole(value: object) -> int | None:
    """A whole number of Python, NumPy or PyTorch as an int; None for anything else."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def place(what: str, value: Any) -> Path:
    """A folder or file by its path.

    Raises:
        UsageError: it is no path.
    """
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise UsageError(f"`{what}` must be a path, as in 'results/mine', not {value!r}")
    return Path(value).expanduser()
