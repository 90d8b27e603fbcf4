"""Files inside Qt resource files (.rcc): a tree of names over one block of data."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MAGIC = b"qres"
DIRECTORY, ZLIB, ZSTD = 2, 1, 4  # flags of an entry
VERSIONS = (1, 2, 3)
MOST_BYTES = 2**27  # of one file unpacked: a small one may unpack to any number
MOST_ENTRIES = 100_000


class ResourceError(Exception):
    """A resource file, or one file inside it, that can't be read; its message is a short clause."""


class _Entry(NamedTuple):
    flags: int
    offset: int  # of the file's data


class Resources(Mapping[str, bytes]):
    """The files inside the resource file ``content`` by their path; each is unpacked when it is asked for.

    The layout is that of Qt's ``qresource.cpp``, formats 1 to 3. Offsets and counts that lead outside, loops and
    files of another size than announced are ResourceErrors.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        if content[:4] != MAGIC:
            raise ResourceError("not a Qt resource file")
        version, tree, self._data, self._names = self._numbers(">4I", 4)
        if version not in VERSIONS:
            raise ResourceError(f"a Qt resource file of format {version}, not one of {VERSIONS}")
        self._size = 14 if version == 1 else 22  # of a row of the tree: from format 2 on with a time
        self._entries = dict(self._walk(tree))

    def __getitem__(self, path: str) -> bytes:
        """The bytes of the file at ``path``; ResourceError if they are damaged."""
        flags, offset = self._entries[path]
        start = self._data + offset + 4
        (length,) = self._numbers(">I", start - 4)
        stored = self._content[start : start + length]
        if len(stored) != length:
            raise ResourceError(f"{path} is cut short")
        if flags & ZSTD:
            raise ResourceError(f"{path} is compressed by Zstandard, which is not read here")
        return _inflate(path, stored) if flags & ZLIB else stored

    def __iter__(self) -> Iterator[str]:
        """Paths in the order of the tree, without a leading slash."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Number of files."""
        return len(self._entries)

    def _walk(self, tree: int) -> Iterator[tuple[str, _Entry]]:
        waiting, seen = [("", 0)], 0
        while waiting:
            folder, row = waiting.pop()
            seen += 1
            if seen > MOST_ENTRIES:
                raise ResourceError("a tree with a loop, or of too many files")
            name, flags, first, second = self._numbers(">IHII", tree + row * self._size)
            path = f"{folder}/{self._name(name)}".lstrip("/") if row else ""
            if not flags & DIRECTORY:
                yield path, _Entry(flags, second)
            elif first > MOST_ENTRIES:
                raise ResourceError("a tree of too many files")
            else:  # ``first`` children from row ``second`` on
                waiting += [(path, second + child) for child in reversed(range(first))]

    def _name(self, offset: int) -> str:
        (length,) = self._numbers(">H", self._names + offset)
        start = self._names + offset + 6  # after the length and a hash
        try:
            return self._content[start : start + 2 * length].decode("utf-16-be")
        except UnicodeDecodeError as error:
            raise ResourceError("a name that is no text") from error

    def _numbers(self, layout: str, offset: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(layout, self._content, offset)
        except struct.error as error:
            raise ResourceError("cut short, or damaged") from error


def _inflate(path: str, stored: bytes) -> bytes:
    """What zlib's stream behind its size of four bytes holds."""
    size = int.from_bytes(stored[:4], "big")
    if size > MOST_BYTES:
        raise ResourceError(f"{path} announces {size:,} bytes, more than the {MOST_BYTES:,} that are unpacked")
    try:
        unpacked = zlib.decompressobj().decompress(stored[4:], size + 1)
    except zlib.error as error:
        raise ResourceError(f"{path} is damaged") from error
    if len(unpacked) != size:
        raise ResourceError(f"{path} has another size than announced")
    return unpacked
