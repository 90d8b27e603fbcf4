"""Reads a file of PyTorch's for its tensors alone: nothing in it is imported or called.

A checkpoint is a zip archive with one pickle and the values of every tensor. The pickle may name any function of any
package; here only what tensors and dictionaries consist of has a meaning, everything else becomes a placeholder.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.core.usage import UsageError

_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_ACTING = frozenset(
    {
        "os",
        "posix",
        "nt",
        "sys",
        "subprocess",
        "shutil",
        "importlib",
        "imp",
        "runpy",
        "pty",
        "code",
        "codeop",
        "commands",
    }
    | {
        "socket",
        "http",
        "urllib",
        "ftplib",
        "smtplib",
        "webbrowser",
        "asyncio",
        "multiprocessing",
        "threading",
        "signal",
    }
    | {
        "ctypes",
        "pickle",
        "marshal",
        "shelve",
        "tempfile",
        "pip",
        "pdb",
        "bdb",
        "timeit",
        "profile",
        "cProfile",
        "trace",
    }
)
"""Modules of Python's own whose functions act on the machine: a checkpoint has no use for any of them."""
_ACTING_BUILTINS = frozenset(
    {"eval", "exec", "execfile", "compile", "open", "file", "input", "breakpoint", "__import__", "setattr", "delattr"}
)
_SILENT = frozenset({"set", "object"})
"""Of Python's own, not worth a word."""


class Placeholder:
    """Stands for an object that a file holds beside tensors; takes whatever is done to it and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "Placeholder":
        """One whatever the arguments."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing is kept."""

    def __setstate__(self, _: Any) -> None:
        """Nothing is kept."""

    def __setitem__(self, *_: Any) -> None:
        """Nothing is kept."""

    def __call__(self, *_: Any, **__: Any) -> "Placeholder":
        """Another one that is as inert."""
        return Placeholder()

    def __hash__(self) -> int:
        """As any object: it may be a key."""
        return id(self)

    def append(self, _: Any) -> None:
        """Nothing is kept."""

    extend = add = update = append


@dataclass(frozen=True)
class Stored:
    """A tensor that was not read yet: where its values lie in the archive."""

    entry: str
    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Storage:
    entry: str
    dtype: torch.dtype


@dataclass
class Archive:
    """``content``: what the pickle holds, with a `Stored` for each tensor; ``placeholders``: what else it names."""

    path: Path
    content: Any = None
    placeholders: list[str] = field(default_factory=list)
    root: str = ""

    def tensors(self, stored: dict[str, Stored]) -> dict[str, Tensor]:
        """The values of ``stored``, by the same names.

        Raises:
            UsageError: values that are not in the file.
        """
        found = {}
        with zipfile.ZipFile(self.path) as archive:
            for name, where in stored.items():
                try:
                    values = bytearray(archive.read(where.entry))
                    flat = torch.frombuffer(values, dtype=where.dtype)
                    found[name] = flat.as_strided(where.size, where.stride, where.offset).clone()
                except (KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
                    raise UsageError(f"{self.path} is damaged: the values of `{name}` can't be read") from error
        return found


class _Unpickler(pickle._Unpickler):
    """Gives tensors and plain containers a meaning, makes all else a placeholder.

    What names a function that acts on the machine is refused, although it would not be called here. The reader in C
    would believe a file how much memory its table of objects needs.
    """

    _known: ClassVar[dict[tuple[str, str], Any]] = {("collections", "OrderedDict"): OrderedDict}

    def __init__(self, stream: Any, archive: Archive) -> None:
        super().__init__(stream)
        self._archive = archive
        self._made: dict[str, type[Placeholder]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What a name of the pickle stands for here; nothing is imported."""
        if (module, name) in self._known:
            return self._known[module, name]
        if module == "torch._utils" and name in _REBUILD:
            return _REBUILD[name]
        if module in ("torch", "torch.storage") and name in _TYPES:
            return _TYPES[name]
        module = "builtins" if module == "__builtin__" else module  # as Python 2 called it, and its protocol does
        of_python = module == "builtins"
        if module.partition(".")[0] in _ACTING or (of_python and name in _ACTING_BUILTINS):
            raise UsageError(
                f"{self._archive.path} is refused: it wants to call `{module}.{name}` while it is read, which no "
                "checkpoint needs; use a file from its authors"
            )
        return self._placeholder(f"{module}.{name}")

    def _placeholder(self, name: str) -> type[Placeholder]:
        if name not in self._made:
            self._made[name] = type("Placeholder", (Placeholder,), {})
            if name.removeprefix("builtins.") not in _SILENT:
                self._archive.placeholders.append(name)
        return self._made[name]

    def persistent_load(self, pid: Any) -> Any:
        """The storage of a tensor, by the name of its entry."""
        kind, dtype, key, _location, _count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            return Placeholder()
        return _Storage(f"{self._archive.root}/data/{key}", dtype)


def _rebuild_tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Stored | Placeholder:
    if not isinstance(storage, _Storage):  # of a type that no weight has
        return Placeholder()
    return Stored(storage.entry, storage.dtype, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


_REBUILD: dict[str, Callable[..., Any]] = {
    "_rebuild_tensor_v2": _rebuild_tensor,
    "_rebuild_parameter": _rebuild_parameter,
}


def read_archive(path: Path) -> Archive:
    """The content of a checkpoint.

    Raises:
        UsageError: no such file or none that can be read, none of PyTorch's since 1.6, a damaged one, or one that wants
            to execute something.
    """
    if not path.is_file():
        raise UsageError(f"there is no checkpoint {path}")
    found = Archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickled = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(pickled) != 1 or any(name.endswith("/constants.pkl") for name in names):
                raise UsageError(f"{path} is no checkpoint of PyTorch but another archive, such as TorchScript")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise UsageError(f"{path} is a packed archive; checkpoints are stored as they are")
            found.root = pickled[0].partition("/")[0]
            order = f"{found.root}/byteorder"
            if order in names and archive.read(order) != b"little":
                raise UsageError(f"{path} was written by a machine of another byte order")
            with archive.open(pickled[0]) as stream:
                found.content = _Unpickler(stream, found).load()
    except UsageError:
        raise
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise UsageError(f"{path} is no checkpoint as PyTorch writes them since version 1.6") from error
    except Exception as error:  # a damaged pickle makes its reader raise nearly anything
        raise UsageError(f"{path} is damaged: {type(error).__name__} while it was read") from error
    return found
