"""Things a suite chooses by name (data sets, models, objectives): a registry with checked options."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from methods.core.usage import UsageError, did_you_mean, options_of, resolve_options

T = TypeVar("T")
Builder = TypeVar("Builder", bound=Callable[..., Any])
Identity = Callable[[dict[str, Any]], dict[str, Any]]


class Components(Generic[T]):
    """Builders of one kind by name, found in the modules of one package.

    ``supplied`` names the arguments that the harness can pass to a builder; every other argument is an
    option a person may set. ``traits`` are facts known of each before it is built, with their usual values.
    """

    def __init__(
        self, kind: str, package: str, supplied: tuple[str, ...] = (), traits: Mapping[str, str] | None = None
    ) -> None:
        self.kind = kind
        self._package = package
        self._supplied = supplied
        self._usual = dict(traits or {})
        self._traits: dict[str, dict[str, str]] = {}
        self._builders: dict[str, Callable[..., T]] = {}
        self._identities: dict[str, Identity] = {}

    def register(self, name: str, identity: Identity | None = None, **traits: str) -> Callable[[Builder], Builder]:
        """Function decorator. ``identity`` turns resolved options into the scientific ones (no paths)."""
        assert traits.keys() <= self._usual.keys(), traits

        def decorate(build: Builder) -> Builder:
            assert name not in self._builders, f"two {self.kind}s called {name}"
            self._builders[name] = build
            self._traits[name] = {**self._usual, **traits}
            if identity is not None:
                self._identities[name] = identity
            return build

        return decorate

    def available(self) -> list[str]:
        """All names, sorted."""
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
            importlib.import_module(module.name)
        return sorted(self._builders)

    def trait(self, name: str, trait: str) -> str:
        """A fact about ``name``.

        Raises:
            UsageError: unknown name.
        """
        self._check_name(name)
        return self._traits[name][trait]

    def option_names(self, name: str) -> list[str]:
        """The options that a person may set."""
        self._check_name(name)
        return list(options_of(self._builders[name], self._supplied))

    def resolve(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of ``name`` with their values.

        Raises:
            UsageError: unknown name or option.
        """
        self._check_name(name)
        return resolve_options(f"{self.kind} `{name}`", self._builders[name], options, self._supplied)

    def _check_name(self, name: str) -> None:
        if name not in self.available():
            known = ", ".join(self.available())
            raise UsageError(f"unknown {self.kind} `{name}`{did_you_mean(name, self._builders)}; there are: {known}")

    def identity(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that belong in a run's key: resolved, a path replaced by what lies there."""
        resolved = self.resolve(name, options)
        return self._identities[name](resolved) if name in self._identities else resolved

    def create(self, name: str, options: Mapping[str, Any], **supplied: Any) -> T:
        """Build ``name`` with ``options`` and those of the ``supplied`` that it asks for."""
        resolved = self.resolve(name, options)
        asked = inspect.signature(self._builders[name]).parameters
        return self._builders[name](**resolved, **{key: value for key, value in supplied.items() if key in asked})
