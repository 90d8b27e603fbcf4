"""Methods by name: `register`, `get`, `create`, `available`."""

from collections.abc import Callable
from typing import Any, TypeVar

from methods.core.base import Card, Quantizer
from methods.core.plugins import Registry
from methods.core.usage import UsageError, check_options

Q = TypeVar("Q", bound=type)
_PACKAGE = __name__.split(".")[0]
METHODS: Registry[type[Quantizer]] = Registry(
    "method", _PACKAGE, f"{_PACKAGE}.adapters", group="codebook_bench.methods"
)


def register(name: str) -> Callable[[Q], Q]:
    """Class decorator: make a `Quantizer` available under ``name``.

    Raises:
        UsageError: the class is not a `Quantizer`, or the name is taken by another class.
    """

    def decorate(cls: Q) -> Q:
        if not (isinstance(cls, type) and issubclass(cls, Quantizer)):
            raise UsageError(f"`{name}` must be a class derived from methods.Quantizer, not {cls!r}")
        METHODS.add(name, cls, cls)
        cls.name = name
        return cls

    return decorate


def available() -> list[str]:
    """Names of all methods, sorted."""
    return METHODS.names()


def get(name: str) -> type[Quantizer]:
    """The class registered under ``name``.

    Raises:
        UsageError: there is none; the message suggests the nearest name.
    """
    return METHODS.find(name)


def card_of(name: str) -> Card:
    """The card of the method ``name``.

    Raises:
        UsageError: there is no such method, or its class has no card.
    """
    cls = get(name)
    card = getattr(cls, "card", None)
    if not isinstance(card, Card):
        raise UsageError(
            f"the class `{cls.__name__}` of method `{name}` has no card; give it "
            '`card = Card(idea=..., paper=..., trains=..., memory="N·D + K·D")`'
        )
    return card


def sources(name: str, params: dict[str, Any]) -> dict[str, str]:
    """Of the method and those that its ``params`` name, where they come from plug-ins: the source by kind and name."""
    named = [name, *(params[parameter] for parameter in get(name).names_methods if parameter in params)]
    found = {f"{METHODS.kind} {one}": METHODS.source(one) for one in named}
    return {what: source for what, source in found.items() if source is not None}


def resolve_params(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """All parameters of a method with their values, the given ones over the defaults."""
    return check_options(f"`{name}`", get(name).options(params), params)


def create(name: str, codebook_size: int, dim: int, **params: Any) -> Quantizer:
    """Build the method ``name`` for ``codebook_size`` codes of dimension ``dim``.

    Raises:
        UsageError: unknown name, unknown or unfit parameter, a size the method can't have.
    """
    return get(name)(codebook_size, dim, **resolve_params(name, params))
