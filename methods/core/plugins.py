"""Things by name: those of a package, of installed plug-ins, and of files named on the command line. Needs no torch."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from methods.core.sources import installed, is_ours, loading_file, loading_installed, source_of
from methods.core.usage import UsageError, did_you_mean, in_words

T = TypeVar("T")
_registries: "list[Registry[Any]]" = []
_added: "list[tuple[Registry[Any], str]]" = []
"""What plug-ins have registered, in order."""
_loaded: "dict[str, _Loaded]" = {}
"""The files that were loaded, by path."""


class _Loaded(NamedTuple):
    module: str
    content: bytes


class Registry(Generic[T]):
    """Things of one kind by name, each made by a class or function that says where it comes from.

    Args:
        kind: in words.
        packages: every module at the top of one is imported to find what is there.
        group: of the entry points of installed plug-ins.
    """

    def __init__(self, kind: str, *packages: str, group: str) -> None:
        self.kind, self.group, self._packages = kind, group, packages
        self._things: dict[str, T] = {}
        self._makers: dict[str, Any] = {}
        self._sources: dict[str, str] = {}
        self._complete = False
        _registries.append(self)

    def add(self, name: str, thing: T, maker: Any) -> None:
        """Make ``thing`` available under ``name``; ``maker`` is the class or function behind it.

        Raises:
            UsageError: the name is taken by another one.
        """
        taken = self._makers.get(name)
        if taken is not None and origin(taken) != origin(maker):
            raise UsageError(f"two {self.kind}s are called `{name}`: {origin(taken)} and {origin(maker)}; rename one")
        self._things[name], self._makers[name] = thing, maker
        if (source := source_of(maker)) is not None:
            self._sources[name] = source
        if not is_ours(maker):
            _added.append((self, name))

    def names(self) -> list[str]:
        """All names, sorted."""
        self.discover()
        return sorted(self._things)

    def find(self, name: str) -> T:
        """The thing called ``name``.

        Raises:
            UsageError: there is none; the message suggests the nearest name.
        """
        self.discover()
        if not isinstance(name, str) or name not in self._things:
            known = self.names()
            raise UsageError(
                f"unknown {self.kind} `{name}`{did_you_mean(str(name), known)}; there are: {', '.join(known)}"
            )
        return self._things[name]

    def source(self, name: str) -> str | None:
        """What the plug-in that ``name`` comes from is made of, as `sources.source_of` tells it; None for ours."""
        self.discover()
        return self._sources.get(name)

    def all(self) -> dict[str, T]:
        """Everything by name, in the order in which it was registered."""
        self.discover()
        return dict(self._things)

    def discover(self) -> None:
        """Import every module at the top of the packages, then every installed plug-in; once.

        Raises:
            UsageError: an installed plug-in fails to import, or registers nothing.
        """
        if self._complete:
            return
        self.import_ours()
        for plugin, loaded in load_installed(self.group).items():
            made = [maker for other in _registries if other.group == self.group for maker in other._makers.values()]
            if (inspect.isclass(loaded) or inspect.isfunction(loaded)) and loaded not in made:
                raise UsageError(f"{plugin} registers nothing; CONTRIBUTING.md shows how it is done")
        self._complete = True

    def import_ours(self) -> None:
        """Import every module at the top of the packages, and no plug-in."""
        for package in self._packages:
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
                if not module.ispkg:
                    importlib.import_module(module.name)

    def _remove(self, name: str) -> None:
        self._things.pop(name, None)
        self._makers.pop(name, None)
        self._sources.pop(name, None)


def import_ours() -> None:
    """Import what every registry finds without plug-ins, for processes that are forked of this one."""
    for registry in _registries:
        registry.import_ours()


def load_installed(group: str) -> dict[str, Any]:
    """Import what installed packages name as their entry points of ``group``: by the plug-in in words.

    Raises:
        UsageError: one fails to import.
    """
    found = {}
    for entry in installed().get(group, ()):
        plugin = f"the installed plug-in `{entry.name}` ({entry.value}) of {group}"
        try:
            with loading_installed(entry):
                found[plugin] = entry.load()
        except UsageError:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also sys.exit
            raise UsageError(f"{plugin} fails to import: {in_words(error)}") from error
    return found


def load_plugin(path: str | Path, content: bytes | None = None) -> None:
    """Execute a Python file that registers something: methods, data sets, models, objectives, metrics, plots.

    Args:
        path: of the file.
        content: what is executed in place of what now stands there, from `loaded_plugins` of another process.

    Raises:
        UsageError: no such file, it fails to import, or it registers nothing.
    """
    file = Path(path).expanduser().resolve()
    module_name = f"codebook_bench_plugin_{file.stem}"
    loaded = _loaded.get(str(file))
    if module_name in sys.modules and loaded is not None and loaded.module == module_name:
        return
    loader = importlib.machinery.SourceFileLoader(module_name, str(file))
    if content is None and not file.exists():
        raise UsageError(f"plug-in {path}: there is no such file")
    if file.suffix != ".py" or (content is None and not file.is_file()):
        raise UsageError(f"plug-in {path} is not a Python file")
    for registry in _registries:
        registry.discover()
    before = len(_added)
    spec = importlib.util.spec_from_file_location(module_name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        # Read once, and never from a compiled file: what is executed is what its source says it is.
        content = file.read_bytes() if content is None else content
        with loading_file(module_name, content):
            exec(loader.source_to_code(content, str(file)), vars(module))
        if len(_added) == before:
            raise UsageError(f'plug-in {path} registers nothing; decorate its class with @register("name")')
    except BaseException as error:  # also sys.exit
        # Nothing half-loaded stays, so that a second attempt meets the same error.
        del sys.modules[module_name]
        for registry, name in _added[before:]:
            registry._remove(name)
        del _added[before:]
        if isinstance(error, UsageError | KeyboardInterrupt):
            raise
        raise UsageError(f"plug-in {path} fails to import: {in_words(error)}") from error
    _loaded[str(file)] = _Loaded(module_name, content)


def load_plugins(paths: Iterable[str | Path]) -> None:
    """`load_plugin` for each of ``paths``."""
    for path in paths:
        load_plugin(path)


def loaded_plugins() -> dict[str, bytes]:
    """The files that this process has loaded, for `load_again` of another one."""
    return {path: loaded.content for path, loaded in _loaded.items()}


def load_again(plugins: Mapping[str, bytes]) -> None:
    """Load what another process has loaded (`loaded_plugins`), whatever stands in its files by now."""
    for path, content in plugins.items():
        load_plugin(path, content)


def check_sources(asked: Mapping[str, str]) -> None:
    """Whether what a run takes from plug-ins is what it was asked for: source by kind and name (``method mine``).

    Raises:
        UsageError: something is of another source here, or not here at all.
    """
    if not asked:
        return
    here = {f"{registry.kind} {name}": registry.source(name) for registry in _registries for name in registry.names()}
    for what, source in asked.items():
        if (found := here.get(what)) != source:
            now = f"is {found}" if found else "is not there"
            raise UsageError(f"the {what} of a plug-in {now}, and its run's key names {source}")


def plugged(kind: str, names: Collection[str] | None = None) -> dict[str, str]:
    """Source by name of what loaded plug-ins have registered of one kind, of ``names`` alone where they are given."""
    found = {name: registry for registry, name in _added if registry.kind == kind and (names is None or name in names)}
    return {name: source for name, registry in sorted(found.items()) if (source := registry.source(name))}


def origin(maker: Any) -> str:
    """Where a class or function stands, in words."""
    try:
        file = inspect.getfile(maker)
    except (OSError, TypeError):
        file = "unknown file"
    return f"{getattr(maker, '__module__', '?')}.{getattr(maker, '__qualname__', repr(maker))} ({file})"
