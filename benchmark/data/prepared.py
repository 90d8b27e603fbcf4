"""Tensors that take long to prepare, kept in the cache for the next process."""

import contextlib
import hashlib
import pickle
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmark.data.sources import cache_folder
from benchmark.record_files import replacing

WORTH_KEEPING = 1.0  # seconds of preparation


def prepared(name: str, key: object, prepare: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``prepare()`` returns (tensors, plain values), or what it returned for the same ``name`` and ``key`` before.

    ``repr`` of ``key`` must name everything that the result depends on. Only what took longer than a second is
    kept. A cache that can't be read or written costs time and nothing else.
    """
    digest = hashlib.sha256(repr(key).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    file = cache_folder() / "prepared" / f"{name}-{digest}.pt"
    try:
        loaded: dict[str, Any] = torch.load(file, weights_only=True)
        return loaded
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
        start = time.monotonic()
        result = prepare()
    if time.monotonic() - start < WORTH_KEEPING:
        return result
    with contextlib.suppress(OSError, RuntimeError):  # torch.save raises RuntimeError where the disk is full
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            torch.save(result, stream)
    return result
