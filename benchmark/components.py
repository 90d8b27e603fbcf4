"""Things a suite chooses by name (data sets, models, objectives, metrics): a registry with checked options."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from methods.core.plugins import Registry
from methods.core.usage import UsageError, check_options, did_you_mean, options_of

T = TypeVar("T")
Builder = TypeVar("Builder", bound=Callable[..., Any])
_GROUPS = {
    "benchmark.data": "codebook_bench.datasets",
    "benchmark.models": "codebook_bench.models",
    "benchmark.objectives": "codebook_bench.objectives",
    "benchmark.metrics": "codebook_bench.metrics",
    "benchmark.metrics.parts": "codebook_bench.metrics",  # speech measures
    "benchmark.report.plots": "codebook_bench.plots",
}
"""Entry points of installed plug-ins, by the package that they add to."""
Identity = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class _Entry(Generic[T]):
    build: Callable[..., T]
    traits: Mapping[str, Any]
    added: tuple[str, ...]
    identity: Identity | None
    check: Callable[..., None] | None


class Components(Generic[T]):
    """Builders of one kind by name, found in the modules of one package and in plug-ins.

    ``supplied`` names the arguments that the harness can pass to a builder; every other argument is an
    option a person may set. ``common`` are options that all have, with their defaults: the harness acts on them, no
    builder is passed them. ``traits`` are facts known of each before it is built, with their usual values.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        supplied: tuple[str, ...] = (),
        traits: Mapping[str, Any] | None = None,
        common: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self._registry: Registry[_Entry[T]] = Registry(kind, package, group=_GROUPS[package])
        self._supplied = supplied
        self._usual = dict(traits or {})
        keyword = inspect.Parameter.KEYWORD_ONLY
        self._common = {name: inspect.Parameter(name, keyword, default=usual) for name, usual in (common or {}).items()}

    def register(
        self,
        name: str,
        identity: Identity | None = None,
        *,
        check: Callable[..., None] | None = None,
        added: tuple[str, ...] = (),
        **traits: Any,
    ) -> Callable[[Builder], Builder]:
        """Function decorator.

        ``identity`` turns resolved options into the scientific ones (no paths). ``check`` is called with all options
        of the builder before anything is built, and raises a `UsageError`. ``added`` names options younger than some
        records: at their defaults they are left out of a run's key.

        Raises:
            UsageError: an unknown trait, or the name is taken by another builder.
        """
        for trait in traits:
            if trait not in self._usual:
                known = ", ".join(self._usual) or "none"
                hint = did_you_mean(trait, self._usual)
                raise UsageError(f"{self.kind} `{name}`: unknown trait `{trait}`{hint}; there are: {known}")

        def decorate(build: Builder) -> Builder:
            entry = _Entry[T](build, {**self._usual, **traits}, (*self._common, *added), identity, check)
            self._registry.add(name, entry, build)
            return build

        return decorate

    def available(self) -> list[str]:
        """All names, sorted."""
        return self._registry.names()

    def trait(self, name: str, trait: str) -> Any:
        """A fact about ``name``.

        Raises:
            UsageError: unknown name.
        """
        return self._registry.find(name).traits[trait]

    def parameters(self, name: str) -> Mapping[str, inspect.Parameter]:
        """The options that a person may set, with their defaults."""
        return self._options(name)

    def documentation(self, name: str) -> str:
        """The docstring of its builder."""
        return inspect.getdoc(self._registry.find(name).build) or ""

    def source(self, name: str) -> str | None:
        """What the plug-in that ``name`` comes from is made of, as `sources.source_of` tells it; None for ours."""
        return self._registry.source(name)

    def _options(self, name: str) -> dict[str, inspect.Parameter]:
        return {**options_of(self._registry.find(name).build, self._supplied), **self._common}

    def resolve(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of ``name`` with their values.

        Raises:
            UsageError: unknown name or option, or a value that its check refuses.
        """
        resolved = check_options(f"{self.kind} `{name}`", self._options(name), options)
        if check := self._registry.find(name).check:
            check(**self._own(resolved))
        return resolved

    def _own(self, resolved: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the builder is passed."""
        return {option: value for option, value in resolved.items() if option not in self._common}

    def identity(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that belong in a run's key: resolved, a path replaced by what lies there."""
        resolved = self.resolve(name, options)
        usual = {option: parameter.default for option, parameter in self._options(name).items()}
        entry = self._registry.find(name)
        kept = {
            option: _as_list(value)
            for option, value in resolved.items()
            if option not in entry.added or _as_list(value) != _as_list(usual[option])
        }
        return entry.identity(kept) if entry.identity else kept

    def create(self, name: str, options: Mapping[str, Any], **supplied: Any) -> T:
        """Build ``name`` with ``options`` and those of the ``supplied`` that it asks for."""
        own = self._own(self.resolve(name, options))
        build = self._registry.find(name).build
        asked = inspect.signature(build).parameters
        return build(**own, **{key: value for key, value in supplied.items() if key in asked})


def _as_list(value: Any) -> Any:
    """A default that is a tuple, as a suite writes it."""
    return list(value) if isinstance(value, tuple) else value


def sources_of(named: Iterable[tuple[Components[Any], str]]) -> dict[str, str]:
    """Of those that come from plug-ins: the source by kind and name (``model wide``)."""
    found = {f"{components.kind} {name}": components.source(name) for components, name in named}
    return {what: source for what, source in found.items() if source is not None}


def check_each(option: str, values: object, known: Collection[str]) -> None:
    """Raise a `UsageError` unless ``values`` is a list of names out of ``known``."""
    names = ", ".join(f"`{name}`" for name in known)
    if not isinstance(values, list | tuple):
        raise UsageError(f"`{option}` must be a list out of {names}, not {values!r}")
    for value in values:
        if value not in list(known):
            raise UsageError(f"`{option}` lists {value!r}{did_you_mean(str(value), known)}; there are: {names}")
