"""What a plug-in is made of: by it runs that use something of it are told from those of an edited one. No torch."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any

OURS = ("benchmark", "methods")
GROUPS = "codebook_bench."
"""How the names of the groups of entry points begin."""
_files: dict[str, str] = {}
"""Source of each plug-in that is a file, by its module."""
_loading: list[Callable[[], str]] = []
"""What tells the source of what is being loaded now, the innermost last."""


def is_ours(maker: Any) -> bool:
    """Whether a class or function is of this project."""
    return _home(maker) in OURS


def source_of(maker: Any) -> str | None:
    """The source of the plug-in that a class or function is of, to be asked when it is registered; None for ours.

    Of a file ``sha256:`` and the hash of its content; of an installed plug-in name and version of its distribution
    before that of the module in which the maker stands. A maker of a third package is of whatever registers it.
    """
    if is_ours(maker):
        return None
    home = _home(maker)
    if home in _files:
        return _files[home]
    for entries in installed().values():
        for entry in entries:
            if entry.module.split(".")[0] == home:
                return _of_installed(entry, maker.__module__)
    return _loading[-1]() if _loading else None


def installed() -> dict[str, EntryPoints]:
    """The entry points of installed plug-ins by their group."""
    return _installed_on(tuple(sys.path))


@cache
def _installed_on(path: tuple[str, ...]) -> dict[str, EntryPoints]:
    """Read once a path: they stand in a file of every distribution, and every registry and report asks."""
    found = entry_points()
    return {group: found.select(group=group) for group in found.groups if group.startswith(GROUPS)}


@contextmanager
def loading_file(module: str, content: bytes) -> Iterator[None]:
    """Within it the plug-in file that becomes ``module`` is executed."""
    source = _files[module] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with _loaded_by(lambda: source):
        yield


@contextmanager
def loading_installed(entry: EntryPoint) -> Iterator[None]:
    """Within it an installed plug-in is imported."""
    with _loaded_by(lambda: _of_installed(entry, entry.module)):
        yield


@contextmanager
def _loaded_by(tell: Callable[[], str]) -> Iterator[None]:
    _loading.append(tell)
    try:
        yield
    finally:
        _loading.pop()


def _of_installed(entry: EntryPoint, module: str) -> str:
    distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{distribution} sha256:{hashlib.sha256(Path(file).read_bytes()).hexdigest()}" if file else distribution


def _home(maker: Any) -> str:
    return str(getattr(maker, "__module__", "")).split(".")[0]
