"""What tests of data sets share."""

import struct
from collections.abc import Callable

import pytest


def write_rcc(files: dict[str, tuple[int, bytes]], version: int = 3) -> bytes:
    """A resource file with ``{"folder/name": (flags, stored bytes)}``, all in one folder."""
    names, data, rows = b"", b"", []

    def named(text: str) -> int:
        nonlocal names
        offset = len(names)
        names += struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")
        return offset

    folder = next(iter(files)).split("/")[0]
    rows = [struct.pack(">IHII", 0, 2, 1, 1), struct.pack(">IHII", named(folder), 2, len(files), 2)]
    for path, (flags, stored) in files.items():
        rows.append(struct.pack(">IHHHI", named(path.split("/")[1]), flags, 0, 1, len(data)))
        data += struct.pack(">I", len(stored)) + stored
    tree = b"".join(row + (bytes(8) if version > 1 else b"") for row in rows)
    start = 20 if version < 3 else 24
    offsets = (start, start + len(tree), start + len(tree) + len(data))
    return b"qres" + struct.pack(">4I", version, *offsets) + bytes(start - 20) + tree + data + names


@pytest.fixture
def rcc() -> Callable[..., bytes]:
    """Writes a Qt resource file."""
    return write_rcc
