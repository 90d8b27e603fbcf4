"""The contract: what every method promises the harness, your own included, checked and reported in words."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from methods.contract import (  # noqa: F401  (each adds its checks, in this order)
    declaration,
    devices,
    edges,
    graphs,
    output,
    processes,
    schedules,
    training,
)
from methods.contract.promises import CHECKS, Check, PromiseError, is_accepted
from methods.contract.subject import Subject
from methods.core.base import Quantizer
from methods.core.registry import get
from methods.core.usage import UsageError, in_words

_SIZES = (64, 256, 4096)
"""Codebook sizes to check at: levels of one size split none but the powers of their number."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check: its name, the promise in words, and what was seen, if anything is to be said of it.

    ``declared``: what the method says it does instead (`Quantizer.not_promised`); empty where it makes the promise.
    """

    name: str
    promise: str
    passed: bool
    message: str = ""
    declared: str = ""

    @property
    def broken(self) -> bool:
        """Whether a promise that the method makes does not hold."""
        return not self.passed and not self.declared


def check_quantizer(
    method: str | type[Quantizer],
    *,
    codebook_size: int | None = None,
    dim: int = 8,
    params: Mapping[str, Any] | None = None,
    thorough: bool = False,
) -> list[CheckResult]:
    """Check all promises that apply to a method, by its registered name or its class.

    ``codebook_size`` is by default the first of 64, 256 and 4,096 that the method can have with ``params``.
    ``thorough``: what takes seconds too, of two processes and of `torch.compile`. Where it cannot even be built, the
    list ends with that. The global random state is left as it was.

    Raises:
        UsageError: there is no such method.
    """
    cls = get(method) if isinstance(method, str) else method
    params = params or {}
    subject = Subject(cls, codebook_size or size_of(cls, params), dim, params)
    declared = cls.not_promised(**subject.params)
    results: list[CheckResult] = []
    for name, check in CHECKS.items():
        if getattr(check, "needs_codes", False) and not cls.has_codes:
            continue
        if getattr(check, "thorough", False) and not thorough:
            continue
        results.append(replace(_run(name, check, subject), declared=declared.get(name, "")))
        if name == "builds" and not results[-1].passed:
            break
    return results


def size_of(cls: type[Quantizer], params: Mapping[str, Any]) -> int:
    """The codebook size at which `check_quantizer` checks a method."""
    can_be_had = [size for size in _SIZES if is_accepted(partial(cls.resolve_size, size, **params))]
    return can_be_had[0] if can_be_had else _SIZES[0]


def _run(name: str, check: Check, subject: Subject) -> CheckResult:
    promise = (check.__doc__ or name).strip().splitlines()[0]
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            seen = check(subject) or ""
    except (PromiseError, UsageError) as error:
        return CheckResult(name, promise, False, str(error))
    except Exception as error:  # whatever a method raises is a broken promise
        return CheckResult(name, promise, False, f"it raises {in_words(error)}")
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return CheckResult(name, promise, True, seen)
