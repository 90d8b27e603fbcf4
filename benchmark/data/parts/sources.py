"""Where data sets on disk come from: the user's folder, this machine, the cache, and what can be fetched."""

import contextlib
import fcntl
import io
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from methods.core.cache import cache_folder
from methods.core.usage import UsageError

T = TypeVar("T")
Read = Callable[[Path], T]
Fetch = Callable[[Path], None]

USER_FOLDER = "CODEBOOK_BENCH_DATA"
TIMEOUT = 5.0  # seconds that a download may stand still


class UnavailableError(Exception):
    """A source that doesn't have the data; its message is a short clause that says why."""


def user_folder() -> Path | None:
    """The folder of data sets that the user named, if any.

    Raises:
        UsageError: it was named but isn't there.
    """
    named = os.environ.get(USER_FOLDER)
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise UsageError(f"the data folder {named} (--data or {USER_FOLDER}) is not there")
    return folder


def obtain(name: str, read: Read[T], machine: list[Path], fetchers: Mapping[str, Fetch], remedy: str) -> tuple[T, str]:
    """The data set ``name`` from the first source that has it, and that source in words without paths.

    Order: the user's folder, the folders of this ``machine``, the cache, then each of ``fetchers``, which puts
    the data into an empty folder that becomes the cache. ``read`` turns a folder into the data or raises
    UnavailableError; it must verify what it reads. Two processes may call this at once: one fetches, the other waits.

    Raises:
        UsageError: no source has it; says what was tried, then ``remedy``.
    """
    cached = cache_folder() / name
    named = user_folder()
    places = [("the user's folder", named)] if named else []
    places += [("this machine", folder) for folder in machine] + [("the cache", cached)]
    tried = []
    for words, folder in places:
        try:
            return read(folder), words
        except (UnavailableError, OSError) as reason:
            tried.append(f"{folder}: {reason}")
    try:
        with locked(cached):
            for words, folder in [("the cache", cached), *((words, cached) for words in fetchers)]:
                try:
                    if words in fetchers:
                        fetch_into(folder, fetchers[words], read)
                    return read(folder), words
                except (UnavailableError, OSError) as reason:
                    if words in fetchers:
                        tried.append(f"{words}: {reason}")
    except OSError as reason:
        tried.append(f"the cache folder {cached.parent} can't be written: {reason.strerror}")
    raise UsageError(f"data set `{name}` is nowhere to be had (tried {'; '.join(tried)}); {remedy}")


def fetch_into(folder: Path, fetch: Fetch, read: Read[T]) -> None:
    """Fetch to a neighbour of ``folder``, verify with ``read``, and put it in place whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        fetch(partial)
        read(partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``, waiting for another process that holds it; its parent is made where missing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def download(what: str, get: Callable[[], object]) -> None:
    """Run ``get``, a download of torchvision or torchaudio, without its progress bars and with a time-out.

    Raises:
        UnavailableError: it failed, for whatever reason.
    """
    print(f"{what}: downloading to the cache …", file=sys.stderr)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            get()
    except (OSError, RuntimeError) as error:
        raise UnavailableError(f"failed ({' '.join(str(error).split())})") from error
    finally:
        socket.setdefaulttimeout(before)
