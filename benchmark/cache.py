"""What takes long to compute, kept on disk by content: a cache that can't be read or written costs time and no more."""

import contextlib
import hashlib
import io
import time
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.records.files import replacing, write_atomic
from methods.core.cache import cache_folder
from methods.core.saved import UnreadableError, load_saved

WORTH_KEEPING = 1.0  # seconds of preparation


def prepared(name: str, key: object, prepare: Callable[[], dict[str, Any]], *, mapped: bool = False) -> dict[str, Any]:
    """What ``prepare()`` returns (tensors, plain values), or what it returned for the same ``name`` and ``key`` before.

    ``repr`` of ``key`` must name everything that the result depends on. Only what took longer than a second is
    kept. A cache that can't be read or written costs time and nothing else. ``mapped`` leaves tensors on the disk until
    they are looked at, once for all processes.
    """
    digest = hashlib.sha256(repr(key).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    file = cache_folder() / "prepared" / f"{name}-{digest}.pt"
    try:
        loaded: Any = load_saved(file, mapped=mapped)
        return loaded
    except (OSError, UnreadableError):
        start = time.monotonic()
        result = prepare()
    if time.monotonic() - start < WORTH_KEEPING:
        return result
    with contextlib.suppress(OSError, RuntimeError):  # torch.save raises RuntimeError where the disk is full
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            torch.save(result, stream)
    return result


class FeatureCache:
    """One array on disk, named by a hash of everything it depends on.

    Processes may share it; each reads a whole file or none.
    """

    def __init__(self, *depends_on: object) -> None:
        digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()
        self._file = cache_folder() / "features" / f"{digest}.npz"

    def load(self) -> Tensor | None:
        """The features fp32 ``[N, F]``; None where there are none or the file is damaged."""
        try:
            # The archive's checksums tell a damaged file.
            with self._file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                features = archive["features"]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return None
        return torch.from_numpy(features) if features.ndim == 2 and features.dtype == np.float32 else None

    def save(self, features: Tensor) -> None:
        """Keep fp32 ``[N, F]``."""
        buffer = io.BytesIO()
        np.savez(buffer, features=features.cpu().numpy())
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, buffer.getvalue())
