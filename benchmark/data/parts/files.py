"""Files of a user's folder: which there are, what identifies them, which split each belongs to."""

import hashlib
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch

from benchmark.cache import prepared
from benchmark.data.parts.sources import user_folder
from benchmark.machine import available_cores
from benchmark.records.files import checksum
from benchmark.seeds import derive_seed
from methods.core.usage import UsageError

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
SETTLED = 2 * 10**9  # nanoseconds without change after which a file's time of change can be relied on
MOST_VISITS = 8  # of one folder, through links
MOST_TOGETHER = 64  # files that a thread reads in a row
NAMED = 5  # files left out that are named on the screen; the record names all

T = TypeVar("T")


def folder_of(what: str, kind: str, path: object) -> Path:
    """The folder ``path``, or the one of ``--data``, of files of a ``kind``.

    Raises:
        UsageError: there is none, or none is named; ``what`` begins the message.
    """
    root = user_folder() if path is None else Path(path).expanduser() if isinstance(path, str) else None
    if root is None and path is None:
        raise UsageError(f"{what}: name a folder of {kind} by --data DIR or --set dataset.path=DIR")
    if root is None or not root.is_dir():
        raise UsageError(f"{what}: there is no folder {path}")
    return root


@dataclass(frozen=True)
class Files:
    """The files below ``root`` that a data set can be made of.

    ``states``: by relative name, sorted. ``skipped``: what is passed over, and why, by name as `shown`. ``others``:
    how many files have another suffix, by suffix.
    """

    root: Path
    states: dict[str, os.stat_result]
    skipped: dict[str, str]
    others: dict[str, int]

    @cached_property
    def content(self) -> str:
        """A hash of names and bytes: of what the data set is, wherever it lies.

        What took long to read is read again only after a file's size, place on the disk, time of modification or
        time of change is another; a program can set the third, the last only the system.
        """
        states = [(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in self.states.values()]
        if time.time_ns() - max((state[-1] for state in states), default=0) < SETTLED:
            return self._hashed()  # a file may still change without a later time of change
        key = (str(self.root.resolve()), list(self.states), states)
        return str(prepared("content", key, lambda: {"content": self._hashed()})["content"])

    def _hashed(self) -> str:
        digest = hashlib.sha256()
        for name, content in zip(self.states, in_threads(self._hash, list(self.states)), strict=True):
            digest.update(os.fsencode(name) + b"\0" + content)
        return digest.hexdigest()[:16]

    def _hash(self, name: str) -> bytes:
        return hash_file(self.root / name)

    def report(self, what: str, kind: str, skipped: dict[str, str]) -> None:
        """On stderr: which files were left out, those of ``skipped`` included, and how many have other suffixes."""
        report_skipped(what, kind, {**self.skipped, **skipped})
        if self.others:
            counts = ", ".join(f"{count:,} {suffix or 'without suffix'}" for suffix, count in self.others.items())
            print(f"{what}: passed over files of other kinds: {counts}", file=sys.stderr)


def in_threads(function: Callable[[str], T], names: Sequence[str]) -> Iterator[T]:
    """``function`` of each of ``names`` in their order, on all cores.

    To hand a thread one name takes as long as to read a small file, so each gets some in a row.
    """
    together = min(MOST_TOGETHER, 1 + len(names) // (4 * available_cores()))
    parts = [names[start : start + together] for start in range(0, len(names), together)]
    with ThreadPoolExecutor() as pool:
        for done in pool.map(lambda part: [function(name) for name in part], parts):
            yield from done


def hash_file(file: Path) -> bytes:
    """SHA-256 of the bytes of ``file``; of nothing where it can't be read, which its reader will say."""
    try:
        return bytes.fromhex(checksum(file))
    except OSError:
        return hashlib.sha256().digest()


def list_files(root: Path, suffixes: Collection[str], folders: Iterable[str] = ("",)) -> Files:
    """All files with one of ``suffixes`` below ``folders`` of ``root``; hidden ones are left out.

    Links are followed, but not to a folder that they lie in, nor to one folder from many places. What isn't a file
    (a pipe, a socket, a device) is passed over: reading it might never end.
    """
    states: dict[str, os.stat_result] = {}
    skipped: dict[str, str] = {}
    others: Counter[str] = Counter()
    visits: Counter[tuple[int, int]] = Counter()
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [(folder, ()) for folder in folders]
    while waiting:
        folder, above = waiting.pop()
        try:
            here = (root / folder).stat()
            names = sorted(name for name in os.listdir(root / folder) if not name.startswith("."))
        except OSError as error:
            skipped[shown(folder)] = f"can't be opened ({error.strerror})"
            continue
        place = (here.st_dev, here.st_ino)
        visits[place] += 1
        if place in above or visits[place] > MOST_VISITS:
            skipped[shown(folder)] = "a link to a folder that it lies in, or to which many links lead"
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            suffix = Path(name).suffix.lower()
            try:
                state = (root / path).stat()
            except OSError as error:
                skipped |= {shown(path): f"can't be followed ({error.strerror})"} if suffix in suffixes else {}
                continue
            if stat.S_ISDIR(state.st_mode):
                waiting.append((path, (*above, place)))
            elif suffix not in suffixes:
                others[shown(suffix)] += 1
            elif not stat.S_ISREG(state.st_mode):
                skipped[shown(path)] = "a pipe, a socket or a device, not a file"
            else:
                states[path] = state
    return Files(root, dict(sorted(states.items())), skipped, dict(sorted(others.items())))


def shown(name: str) -> str:
    """A name in one line of printable characters; others, and bytes that are no text, as ``\\n`` or ``\\xff``."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def assign(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by split, as the folder in which they lie says; all of them ``train`` without a folder of that name."""
    names = list(names)
    folders = [SPLIT_FOLDERS.get(name.split("/")[0].lower()) if "/" in name else None for name in names]
    if "train" not in folders:
        return {"train": names}
    splits: dict[str, list[str]] = {}
    for name, split in zip(names, folders, strict=True):
        if split is not None:
            splits.setdefault(split, []).append(name)
    return splits


def draw(names: list[str], count: int | None, *seed: str) -> list[str]:
    """The first ``count`` of ``names`` in an order that is random and always the same for the same ``seed``."""
    generator = torch.Generator().manual_seed(derive_seed(*seed))
    return [names[i] for i in torch.randperm(len(names), generator=generator)[:count].tolist()]


def report_skipped(what: str, kind: str, skipped: dict[str, str]) -> None:
    """One line on stderr that names the files left out, if any; ``skipped`` has them by name as `shown`."""
    if skipped:
        names = ", ".join(list(skipped)[:NAMED])
        more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        print(f"{what}: left out {len(skipped)} {kind}: {names}{more}", file=sys.stderr)
