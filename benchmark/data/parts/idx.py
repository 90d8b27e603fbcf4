"""IDX files, in which MNIST and what follows it keep images and labels: found in a folder, verified, read."""

import gzip
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.data.parts.sources import UnavailableError


def read_images(folder: Path, checksums: Mapping[str, str], layouts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Training and test images uint8 ``[N, 1, H, W]``; ``checksums``: of the two files, see `read_idx`."""
    train, test = (read_idx(folder, name, sha256, layouts) for name, sha256 in checksums.items())
    return train.unsqueeze(1), test.unsqueeze(1)


def read_labels(folder: Path, checksums: Mapping[str, str], layouts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Training and test labels int64 ``[N]``; ``checksums``: of the two files, see `read_idx`."""
    train, test = (read_idx(folder, name, sha256, layouts) for name, sha256 in checksums.items())
    return train.long(), test.long()


def read_idx(folder: Path, name: str, sha256: str, layouts: Sequence[str]) -> Tensor:
    """The unsigned bytes of the IDX file ``name``, packed or not, in any of the ``layouts`` of ``folder``.

    ``sha256``: of the unpacked file, for archives of the same file differ by the packer's header.

    Raises:
        UnavailableError: it is missing, damaged or another.
    """
    candidates = [folder / layout / f"{name}{suffix}" for layout in layouts for suffix in ("", ".gz")]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise UnavailableError(f"no {name}")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnavailableError(f"{path.name} is damaged") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UnavailableError(f"{path.name} has the wrong checksum")
    return parse_idx(content)


def parse_idx(content: bytes) -> Tensor:
    """Unsigned bytes of an IDX file: a magic number that ends in their rank, the sizes, big-endian, then the bytes."""
    magic = int.from_bytes(content[:4], "big")
    assert magic >> 8 == 0x08, "not unsigned bytes"
    shape = np.frombuffer(content, ">u4", magic & 0xFF, offset=4).tolist()
    values = np.frombuffer(bytearray(content), np.uint8, offset=4 + 4 * len(shape))
    return torch.from_numpy(values).reshape(shape)
