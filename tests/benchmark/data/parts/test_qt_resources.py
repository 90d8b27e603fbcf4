"""Qt resource files written byte by byte as Qt's rcc does, and damaged ones."""

import struct
import zlib

import pytest

from benchmark.data.parts.qt_resources import ResourceError, Resources


def packed(content: bytes, size: int | None = None) -> tuple[int, bytes]:
    return 1, struct.pack(">I", len(content) if size is None else size) + zlib.compress(content)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_by_path(version, rcc):
    resources = Resources(rcc({"art/a.txt": (0, b"raw"), "art/ü.txt": packed(b"zipped" * 9)}, version))
    assert dict(resources) == {"art/a.txt": b"raw", "art/ü.txt": b"zipped" * 9}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04" + bytes(40), "not a Qt resource file"),
        (b"qres" + bytes(3), "cut short"),
        (lambda rcc: rcc({"a/b": (0, b"x")}, 1)[:60], "cut short"),
        (b"qres" + struct.pack(">4I", 9, 0, 0, 0), "format 9"),
        (b"qres" + struct.pack(">4I", 1, 20, 0, 0) + struct.pack(">IHII", 0, 2, 2**31, 1), "too many files"),
        (b"qres" + struct.pack(">4I", 1, 20, 0, 20) + struct.pack(">IHII", 0, 2, 1, 0) + bytes(9), "a loop"),
    ],
)
def test_damaged_files(content, reason, rcc):
    with pytest.raises(ResourceError, match=reason):
        Resources(content(rcc) if callable(content) else content)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (packed(b"x" * 9, 8), "another size"),
        (packed(b"x" * 9, 10), "another size"),
        (packed(b"x", 2**31), "more than the"),
        ((1, b"\0\0\0\1nonsense"), "is damaged"),
        ((4, b"zstd"), "Zstandard"),
    ],
)
def test_damaged_entries(stored, reason, rcc):
    with pytest.raises(ResourceError, match=f"art/a .*{reason}"):
        Resources(rcc({"art/a": stored}))["art/a"]
