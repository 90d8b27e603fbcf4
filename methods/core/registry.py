"""Methods by name: `register`, `create`, `available`, and the three ways a method is found."""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from methods.core.base import Quantizer
from methods.core.usage import UsageError, did_you_mean, resolve_options

_PACKAGE = __name__.split(".")[0]
"""The package at whose top the methods stand, one file each."""
_FOLDER = Path(__file__).parents[1]
ENTRY_POINT_GROUP = "codebook_bench.methods"
Q = TypeVar("Q", bound=type)
_SUPPLIED = ("codebook_size", "dim")
_registered: dict[str, type[Quantizer]] = {}


def register(name: str) -> Callable[[Q], Q]:
    """Class decorator: make a `Quantizer` available under ``name``.

    Raises:
        UsageError: the class is not a `Quantizer`, or the name is taken by another class.
    """

    def decorate(cls: Q) -> Q:
        if not (isinstance(cls, type) and issubclass(cls, Quantizer)):
            raise UsageError(f"`{name}` must be a class derived from methods.Quantizer, not {cls!r}")
        taken = _registered.get(name)
        if taken is not None and _origin(taken) != _origin(cls):
            raise UsageError(f"two methods are called `{name}`: {_origin(taken)} and {_origin(cls)}; rename one")
        cls.name = name
        _registered[name] = cls
        return cls

    return decorate


def available() -> list[str]:
    """Names of all methods, sorted."""
    _discover()
    return sorted(_registered)


def get(name: str) -> type[Quantizer]:
    """The class registered under ``name``.

    Raises:
        UsageError: there is none; the message suggests the nearest name.
    """
    _discover()
    if name not in _registered:
        known = ", ".join(sorted(_registered))
        raise UsageError(f"unknown method `{name}`{did_you_mean(name, _registered)}; there are: {known}")
    return _registered[name]


def resolve_params(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """All parameters of a method with their values, the given ones over the defaults."""
    return resolve_options(f"`{name}`", get(name).__init__, params, _SUPPLIED)


def create(name: str, codebook_size: int, dim: int, **params: Any) -> Quantizer:
    """Build the method ``name`` for ``codebook_size`` codes of dimension ``dim``.

    Raises:
        UsageError: unknown name, unknown or unfit parameter, a size the method can't have.
    """
    return get(name)(codebook_size, dim, **resolve_params(name, params))


def load_plugin(path: str | Path) -> None:
    """Execute a Python file whose classes register themselves.

    Raises:
        UsageError: no such file, it fails to import, or it registers nothing.
    """
    file = Path(path).expanduser().resolve()
    module_name = f"codebook_bench_plugin_{file.stem}"
    if module_name in sys.modules and sys.modules[module_name].__file__ == str(file):
        return
    spec = importlib.util.spec_from_file_location(module_name, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"plug-in {path} is not a Python file")
    _discover()
    before = dict(_registered)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
        if _registered == before:
            raise UsageError(f'plug-in {path} registers no method; decorate its class with @register("name")')
    except Exception as error:
        # Nothing half-loaded stays, so that a second attempt meets the same error.
        del sys.modules[module_name]
        _registered.clear()
        _registered.update(before)
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"plug-in {path} fails to import: {type(error).__name__}: {error}") from error


@cache
def _discover() -> None:
    """Import every file at the top of the package, then every installed plug-in."""
    for module in pkgutil.iter_modules([str(_FOLDER)], f"{_PACKAGE}."):
        if not module.ispkg:
            importlib.import_module(module.name)
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        plugin = f"the installed method plug-in `{entry.name}` ({entry.value})"
        try:
            loaded = entry.load()
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(f"{plugin} fails to import: {type(error).__name__}: {error}") from error
        if isinstance(loaded, type) and loaded not in _registered.values():
            raise UsageError(f'{plugin} registers no method; decorate its class with @register("name")')


def _origin(cls: type) -> str:
    try:
        file = inspect.getfile(cls)
    except (OSError, TypeError):
        file = "unknown file"
    return f"{cls.__module__}.{cls.__qualname__} ({file})"
