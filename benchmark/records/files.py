"""Files that are there whole or not at all: what runs, reports and caches write, and rows of CSV files read back."""

import csv
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import ArrayLike

from methods.core.usage import UsageError

_CHUNK = 2**20


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
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # Not by `tempfile`, whose files only their owner may read: the mode is what umask and folder say.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
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
    named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    # Said here, as older versions of numpy can't be told to refuse what would have to be pickled.
    assert not any(array.dtype.hasobject for array in named.values())
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **named)
    write_output(path, buffer.getvalue())


@contextmanager
def opened(path: Path | str, flags: int = 0) -> Iterator[io.BufferedReader]:
    """A file to read from.

    Raises:
        OSError: it can't be read, or is a pipe, a socket or a device, with which reading might never end.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no file but a pipe, a socket or a device")
        yield file


def open_lock(path: Path) -> TextIO:
    """A file to lock, made where it is missing: neither through a link nor, for ever, into a pipe.

    Raises:
        OSError: it is something else, or can't be written.
    """
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666), "w")


def check_no_link(folder: Path) -> None:
    """Raise an `UnwritableError` where ``folder`` is a link: what is written or removed there would be elsewhere."""
    if folder.is_symlink():
        reason = "is a link; a run writes into the results folder alone, so remove the link"
        raise UnwritableError(f"{folder} {reason}", folder)


def read_file(path: Path | str) -> bytes:
    """The content of a file.

    Raises:
        OSError: as `opened`.
    """
    with opened(path) as file:
        return file.read()


def checksum(path: Path | str) -> str:
    """SHA-256 of a file, hexadecimal; it is not read into memory as a whole.

    Raises:
        OSError: as `opened`.
    """
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_file(source: Path, target: Path, expected: str | None) -> bool:
    """Copy a file by `replacing` what is at ``target``; False, and nothing is written, where it can't be read, is a
    link, or has not the hash whose beginning is ``expected``.

    Raises:
        UnwritableError: the disk is full or read-only.
    """
    digest = hashlib.sha256()
    with ExitStack() as stack:
        try:
            file = stack.enter_context(opened(source, os.O_NOFOLLOW))
        except OSError:
            return False
        with writing(target), suppress(_OtherFileError), replacing(target) as copy:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            if expected is not None and not digest.hexdigest().startswith(expected):
                raise _OtherFileError
            return True
    return False


class _OtherFileError(Exception):
    """Ends `replacing` without a file."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file as they were written; none where it is missing or can't be read."""
    try:
        return list(csv.DictReader(io.StringIO(read_file(path).decode(), newline="")))
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
