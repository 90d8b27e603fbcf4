"""The contract: what every method promises the harness, your own included, checked and reported in words."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from methods.contract import (  # noqa: F401  (each adds its checks, in this order)
    declaration,
    devices,
    edges,
    output,
    schedules,
    training,
)
from methods.contract.promises import CHECKS, Check, PromiseError
from methods.contract.subject import Subject
from methods.core.base import Quantizer
from methods.core.registry import get
from methods.core.usage import UsageError, in_words


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check: its name, the promise in words, and what was wrong if it is broken."""

    name: str
    promise: str
    passed: bool
    message: str = ""


def check_quantizer(
    method: str | type[Quantizer],
    *,
    codebook_size: int = 64,
    dim: int = 8,
    params: Mapping[str, Any] | None = None,
) -> list[CheckResult]:
    """Check all promises that apply to a method, by its registered name or its class.

    Where it cannot even be built, the list ends with that. The global random state is left as it was.

    Raises:
        UsageError: there is no such method.
    """
    cls = get(method) if isinstance(method, str) else method
    subject = Subject(cls, codebook_size, dim, params or {})
    results: list[CheckResult] = []
    for name, check in CHECKS.items():
        if getattr(check, "needs_codes", False) and not cls.has_codes:
            continue
        results.append(_run(name, check, subject))
        if name == "builds" and not results[-1].passed:
            break
    return results


def _run(name: str, check: Check, subject: Subject) -> CheckResult:
    promise = (check.__doc__ or name).strip().splitlines()[0]
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]):
            check(subject)
    except (PromiseError, UsageError) as error:
        return CheckResult(name, promise, False, str(error))
    except Exception as error:  # whatever a method raises is a broken promise
        return CheckResult(name, promise, False, f"it raises {in_words(error)}")
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    return CheckResult(name, promise, True)
