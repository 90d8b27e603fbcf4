"""Features of the originals, kept on disk by content, so that they are computed once a data set."""

import contextlib
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.record_files import write_atomic


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/codebook-bench`` or ``~/.cache/codebook-bench``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "codebook-bench"


class FeatureCache:
    """One array on disk, named by a hash of everything it depends on.

    A cache is a convenience: what can't be read is computed again, what can't be written is not
    kept. Processes may share it; each reads a whole file or none.
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
