"""Things a suite chooses by name (data sets, models, objectives, metrics): a registry with checked options."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, TypeVar

from methods.core.usage import UsageError, check_options, did_you_mean, options_of

T = TypeVar("T")
Builder = TypeVar("Builder", bound=Callable[..., Any])
Identity = Callable[[dict[str, Any]], dict[str, Any]]


class Components(Generic[T]):
    """Builders of one kind by name, found in the modules of one package.

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
        self._package = package
        self._supplied = supplied
        self._usual = dict(traits or {})
        keyword = inspect.Parameter.KEYWORD_ONLY
        self._common = {name: inspect.Parameter(name, keyword, default=usual) for name, usual in (common or {}).items()}
        self._traits: dict[str, dict[str, Any]] = {}
        self._builders: dict[str, Callable[..., T]] = {}
        self._identities: dict[str, Identity] = {}
        self._checks: dict[str, Callable[..., None]] = {}
        self._added: dict[str, tuple[str, ...]] = {}

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
        """
        assert traits.keys() <= self._usual.keys(), traits

        def decorate(build: Builder) -> Builder:
            assert name not in self._builders, f"two {self.kind}s called {name}"
            self._builders[name] = build
            self._traits[name] = {**self._usual, **traits}
            self._added[name] = (*self._common, *added)
            if identity is not None:
                self._identities[name] = identity
            if check is not None:
                self._checks[name] = check
            return build

        return decorate

    def available(self) -> list[str]:
        """All names, sorted."""
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
            importlib.import_module(module.name)
        return sorted(self._builders)

    def trait(self, name: str, trait: str) -> Any:
        """A fact about ``name``.

        Raises:
            UsageError: unknown name.
        """
        self._check_name(name)
        return self._traits[name][trait]

    def option_names(self, name: str) -> list[str]:
        """The options that a person may set."""
        self._check_name(name)
        return list(self._options(name))

    def _options(self, name: str) -> dict[str, inspect.Parameter]:
        return {**options_of(self._builders[name], self._supplied), **self._common}

    def resolve(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of ``name`` with their values.

        Raises:
            UsageError: unknown name or option, or a value that its check refuses.
        """
        self._check_name(name)
        resolved = check_options(f"{self.kind} `{name}`", self._options(name), options)
        if name in self._checks:
            self._checks[name](**self._own(resolved))
        return resolved

    def _own(self, resolved: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the builder is passed."""
        return {option: value for option, value in resolved.items() if option not in self._common}

    def _check_name(self, name: str) -> None:
        if name not in self.available():
            known = ", ".join(self.available())
            raise UsageError(f"unknown {self.kind} `{name}`{did_you_mean(name, self._builders)}; there are: {known}")

    def identity(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that belong in a run's key: resolved, a path replaced by what lies there."""
        resolved = self.resolve(name, options)
        usual = {option: parameter.default for option, parameter in self._options(name).items()}
        kept = {
            option: _as_list(value)
            for option, value in resolved.items()
            if option not in self._added[name] or _as_list(value) != _as_list(usual[option])
        }
        return self._identities[name](kept) if name in self._identities else kept

    def create(self, name: str, options: Mapping[str, Any], **supplied: Any) -> T:
        """Build ``name`` with ``options`` and those of the ``supplied`` that it asks for."""
        own = self._own(self.resolve(name, options))
        asked = inspect.signature(self._builders[name]).parameters
        return self._builders[name](**own, **{key: value for key, value in supplied.items() if key in asked})


def _as_list(value: Any) -> Any:
    """A default that is a tuple, as a suite writes it."""
    return list(value) if isinstance(value, tuple) else value


def check_each(option: str, values: object, known: Collection[str]) -> None:
    """Raise a `UsageError` unless ``values`` is a list of names out of ``known``."""
    names = ", ".join(f"`{name}`" for name in known)
    if not isinstance(values, list | tuple):
        raise UsageError(f"`{option}` must be a list out of {names}, not {values!r}")
    for value in values:
        if value not in list(known):
            raise UsageError(f"`{option}` lists {value!r}{did_you_mean(str(value), known)}; there are: {names}")
