"""Codes, codewords, latents, images and waveforms from files or from Python, read without executing anything."""

import hashlib
import zipfile
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.records.files import checksum, opened
from methods.core.saved import load_saved
from methods.core.usage import UsageError

Source = str | Path | NDArray[Any] | Tensor
"""A file (.npy, .npz with one array, .pt with one tensor), an array or a tensor."""


@dataclass(frozen=True)
class Given:
    """An array ``values`` and the SHA-256 of where it comes from: of the file, or of its own bytes.

    ``name``: as messages call it, with the file.
    """

    name: str
    values: Tensor
    sha256: str

    @property
    def shape(self) -> str:
        """Kind and shape of what was found."""
        return f"{kind_of(self.values)} of shape {list(self.values.shape)}"


def kind_of(values: Tensor) -> str:
    """The type of its numbers, as NumPy and PyTorch both call it."""
    return str(values.dtype).removeprefix("torch.")


def read_array(what: str, source: Source) -> Given:
    """The array in ``source``, called ``what`` in messages.

    Raises:
        UsageError: no file that can be read, more or less than one array in it, objects instead of numbers, no
            numbers at all, or some that are not finite.
    """
    name = what
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        name = f"{what} ({path})"
        values, sha256 = _tensor(name, _read(what, path)), checksum(path)
    else:
        values = _tensor(what, source)
        sha256 = hashlib.sha256(values.contiguous().flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
    if not values.numel():
        raise UsageError(f"{name} are empty, of shape {list(values.shape)}: there is nothing to measure")
    if values.is_floating_point() and not bool(values.isfinite().all()):
        raise UsageError(f"{name} hold values that are not finite")
    return Given(name, values, sha256)


def _read(what: str, path: Path) -> NDArray[Any] | Tensor:
    readers = {".npy": _read_npy, ".npz": _read_npz, ".pt": _read_pt, ".pth": _read_pt}
    if path.suffix not in readers:
        raise UsageError(f"{what} must be a file .npy, .npz or .pt, not {path}")
    try:
        with opened(path) as file:
            found = readers[path.suffix](file)
    except FileNotFoundError:
        raise UsageError(f"{what}: there is no file {path}") from None
    except OSError as error:
        raise UsageError(f"{what}: {path} can't be read: {error.strerror or error}") from error
    except (ValueError, EOFError, RuntimeError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"{what}: {path} {_wrong_with(path, str(error))}") from error
    if not isinstance(found, np.ndarray | Tensor):
        raise UsageError(
            f"{what}: {path} holds {_described(found)}, not one array; save the one that is meant by itself"
        )
    return found


def _wrong_with(file: Path, said: str) -> str:
    """What is wrong with a file, whose reader has ``said`` why it gave up."""
    if not file.stat().st_size:
        return "is empty"
    cut = ("Failed to read all data", "cut short", "No data left")
    unfinished = "is not a zip file" in said  # which NumPy asks only where the file begins like one
    return "is cut short" if unfinished or any(words in said for words in cut) else "holds no plain array of numbers"


def _read_npy(file: BufferedReader) -> Any:
    return np.load(file, allow_pickle=False)


def _read_npz(file: BufferedReader) -> Any:
    with np.load(file, allow_pickle=False) as archive:
        return archive[archive.files[0]] if len(archive.files) == 1 else list(archive.files)


def _read_pt(file: BufferedReader) -> Any:
    return load_saved(file)


def _described(found: object) -> str:
    if not isinstance(found, dict | list | tuple):
        return f"a {type(found).__name__}"
    names = ", ".join(name for name in list(found)[:4] if isinstance(name, str))
    entries = "one entry" if len(found) == 1 else f"{len(found):,} entries"
    return entries + (f" ({names})" if names else "")


def _kind(values: Tensor) -> str:
    return "one without values (on the meta device)" if values.is_meta else f"{values.layout} of {kind_of(values)}"


def _tensor(what: str, values: NDArray[Any] | Tensor) -> Tensor:
    if isinstance(values, Tensor):
        if values.is_meta or values.layout != torch.strided or values.is_quantized or values.is_complex():
            raise UsageError(f"{what} must be a plain tensor of numbers, not {_kind(values)}")
        return values.detach().cpu()
    try:
        values = np.asarray(values)
    except ValueError:
        raise UsageError(f"{what} must be one array, not a list of lists of different lengths") from None
    if values.dtype.kind not in "biuf":
        raise UsageError(f"{what} must be numbers, not of type {values.dtype}")
    if values.dtype.kind == "u" and values.dtype != np.uint8:  # torch computes with few unsigned types
        if values.size and int(values.max()) > np.iinfo(np.int64).max:
            raise UsageError(f"{what} hold numbers beyond 64 bits")
        values = values.astype(np.int64)
    return torch.from_numpy(np.ascontiguousarray(values, values.dtype.newbyteorder("=")))
