"""A promise and how it is told: the register of checks, and comparisons that say in words what they saw."""

import pickle
import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from methods.contract.subject import Subject
from methods.core.base import Quantized, Quantizer
from methods.core.usage import UsageError

Check = Callable[[Subject], str | None]
"""It raises `PromiseError`, or returns what was seen, if anything is to be said of it."""
F = TypeVar("F", bound=Check)
CHECKS: dict[str, Check] = {}
"""All checks by name, in the order in which they run; the first line of each says the promise in words."""


class PromiseError(Exception):
    """A promise that does not hold; the message says in words what was seen."""


def check(name: str, *, needs_codes: bool = False, thorough: bool = False) -> Callable[[F], F]:
    """Add a check under ``name``; one that needs codes is left out for a method without.

    ``thorough``: it takes seconds, and is made only where that is asked for.
    """

    def add(function: F) -> F:
        function.needs_codes, function.thorough = needs_codes, thorough  # type: ignore[attr-defined]
        CHECKS[name] = function
        return function

    return add


def require(condition: bool, message: str) -> None:
    """Raise `PromiseError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise PromiseError(message)


def require_same_state(before: Mapping[str, Any], after: Mapping[str, Any], story: str) -> None:
    """Raise `PromiseError`, naming the entries that differ, unless two states are bit-for-bit the same."""
    different = [key for key in {**before, **after} if not _same(before.get(key), after.get(key))]
    require(not different, f"{story}: " + ", ".join(f"`{key}`" for key in different))


def require_same_output(one: Quantized, other: Quantized, story: str) -> None:
    """Raise `PromiseError` unless latents, codes and loss are bit-for-bit the same."""
    parts = [part for part in ("latents", "codes", "loss") if not _same(getattr(one, part), getattr(other, part))]
    require(not parts, f"{story}: {' and '.join(parts)} differ")


def require_close_output(one: Quantized, other: Quantized, message: str) -> None:
    """Raise `PromiseError` with ``message`` unless latents and loss agree but for rounding, and the codes agree."""
    close = torch.allclose(one.latents, other.latents, atol=1e-5) and torch.allclose(one.loss, other.loss, rtol=1e-4)
    same_codes = one.codes is None or other.codes is None or torch.equal(one.codes, other.codes)
    require(close and same_codes, message)


def snapshot(quantizer: Quantizer) -> dict[str, Tensor]:
    """Copies of all parameters and buffers, those that are not saved too."""
    tensors = [*quantizer.named_parameters(), *quantizer.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in tensors}


def random_state() -> tuple[Any, ...]:
    """The random state of torch (CPU), Python and NumPy in comparable form."""
    of_numpy = pickle.dumps(np.random.get_state(legacy=False))
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), of_numpy


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)


def is_accepted(build: Callable[[], object]) -> bool:
    """Whether ``build`` works; False where it raises a `UsageError`."""
    try:
        build()
    except UsageError:
        return False
    return True
