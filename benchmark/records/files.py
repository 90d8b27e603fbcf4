"""Files that are there whole or not at all: what runs, reports and caches write, and rows of CSV files read back."""

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from methods.core.usage import UsageError


class UnwritableError(UsageError):
    """``path`` can't be written: the disk is full, or the folder read-only."""

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing ``path`` into an `UnwritableError`."""
    try:
        yield
    except OSError as error:
        raise UnwritableError(f"{path} can't be written: {error.strerror or error}", path) from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that takes the place of ``path`` at the end, and leaves nothing after an exception.

    A reader sees the old file or the whole new one, also after a power cut.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def write_atomic(path: Path, content: str | bytes | memoryview) -> None:
    """Write ``content`` by `replacing` what is there."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_output(path: Path, content: str | bytes | memoryview) -> None:
    """`write_atomic` for the files of a run.

    Raises:
        UnwritableError: the disk is full or the folder read-only; the old file, if any, is still there.
    """
    with writing(path):
        write_atomic(path, content)


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """`write_output` of ``arrays`` by name as a compressed ``.npz``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_output(path, buffer.getvalue())


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as they were written; none where it is missing or can't be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _sync_folder(folder: Path) -> None:
    """Make a rename last; not every file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
