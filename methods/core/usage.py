"""What a person typed or supplied, checked: the one exception for it, named options against a signature, values."""

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, get_args, get_origin

LONGEST = 2_000
"""Characters of the message of an exception that are told."""
MOST_LAYERS, MOST_WIDTH = 256, 65_536
"""Of a network: more is a slip of the hand, and would be built for hours or take all memory."""


class UsageError(ValueError):
    """Something a person can put right; its message is one sentence that says what and how.

    ``key``: where it stands in what was read, as far as that is known; not in the message.
    """

    key: tuple[str | int, ...] = ()


def put_before(error: UsageError, what: str) -> None:
    """Begin its message with ``what`` it is about; the error keeps its kind and whatever else it says."""
    error.args = (f"{what}: {error}",)


def message_of(error: BaseException) -> str:
    """What any exception says, the beginning of a long message; empty for one that fails to say it."""
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return ""
    return message if len(message) <= LONGEST else f"{message[:LONGEST]}…"


def shape_in_words(shape: Iterable[int]) -> str:
    """``3x64x64``; of a single number, ``scalar``."""
    return "x".join(map(str, shape)) or "scalar"


def in_words(error: BaseException) -> str:
    """Its type, and what it says."""
    return ": ".join(filter(None, [type(error).__name__, message_of(error)]))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" (did you mean `x`?)"`` for the known word nearest to ``word``, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def check_choice(parameter: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a `UsageError` unless ``value`` is one of ``choices``."""
    if value not in choices:
        options = ", ".join(f"`{choice}`" for choice in choices)
        raise UsageError(f"{parameter} must be one of {options}, not `{value}`{did_you_mean(str(value), choices)}")


def check_range(parameter: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise a `UsageError` unless ``low <= value <= high``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        bound = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
        raise UsageError(f"{parameter} must be {bound}, not {value!r}")


def check_count(what: str, value: object, most: int | None = None, least: int = 1) -> int:
    """``value`` if it is a whole number from ``least`` to ``most``; UsageError otherwise."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least and (most is None or value <= most)
    if not good:
        wanted = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{what} must be a whole number {wanted}, not {value!r}")
    assert isinstance(value, int)
    return value


def options_of(build: Callable[..., Any], supplied: Iterable[str] = ()) -> dict[str, inspect.Parameter]:
    """The keyword options of ``build`` that a person may set: all but those the harness supplies."""
    hidden = {"self", *supplied}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p for p in _parameters(build) if p.name not in hidden and p.kind in kinds}


@cache
def _parameters(build: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """Of a plan's every cell, read once."""
    return tuple(inspect.signature(build).parameters.values())


def check_options(what: str, options: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """All ``options`` with their values: the given ones over the defaults.

    An int given for a float option becomes a float, and a whole float given for an int option an int, so that ``1``
    and ``1.0`` are one configuration.

    Raises:
        UsageError: an option that there is not, or one without default left out.
    """
    for name in given:
        if name not in options:
            known = ", ".join(f"`{option}`" for option in options) or "none"
            raise UsageError(f"{what} has no parameter `{name}`{did_you_mean(name, options)}; it has: {known}")
    resolved = {}
    for name, option in options.items():
        if name not in given and option.default is inspect.Parameter.empty:
            raise UsageError(f"{what} needs the parameter `{name}`")
        value = given.get(name, option.default)
        if isinstance(option.default, float) and value is not None:
            value = _as_float(f"{what}: `{name}`", value)
        if type(option.default) is int and option.annotation in (int, "int"):
            value = _as_int(f"{what}: `{name}`", value)
        if isinstance(option.default, bool) and not isinstance(value, bool):
            raise UsageError(f"{what}: `{name}` must be true or false, not {value!r}")
        if _names_values(option.annotation) and value is not None and not _is_of_names(value):
            raise UsageError(f"{what}: `{name}` must be parameters with their values, `{{NAME: VALUE}}`, not {value!r}")
        resolved[name] = value
    return resolved


def _names_values(annotation: object) -> bool:
    """Whether it is a mapping's, or a mapping's or None."""
    return any(get_origin(one) is Mapping for one in (annotation, *get_args(annotation)))


def _is_of_names(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _as_float(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{what} must be a number, not {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{what} is an integer too large for a float") from None


def _as_int(what: str, value: object) -> int:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole:
        raise UsageError(f"{what} must be a whole number, not {value!r}")
    return int(value)  # type: ignore[call-overload]
