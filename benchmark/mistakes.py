"""What somebody wrote, checked against a Pydantic model; the first thing wrong with it is told in one sentence."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from benchmark.document import below
from benchmark.values import Key, written
from methods.core.usage import UsageError, did_you_mean

_Model = TypeVar("_Model", bound=BaseModel)
_LONGEST = 60
"""Characters of a value that a sentence repeats."""
_UNION = ("str", "dict[str,any]")
"""What Pydantic puts into a key for the alternatives of a type; no key of a file."""
_QUOTED = re.compile("'([^']*)'")
_WANTED: dict[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_pattern_mismatch": "like `{pattern}`",
    "greater_than_equal": "at least {ge}",
    "greater_than": "greater than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
}
"""What a value must be, by Pydantic's kind of error and with what that says of it."""


def checked(model: type[_Model], data: Any) -> _Model:
    """``data`` as a ``model``.

    Raises:
        UsageError: one sentence about the first thing that is wrong, with its key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        key, sentence = _first(model, error.errors())
    with below(*key):
        raise UsageError(sentence)


def _first(model: type[BaseModel], errors: list[ErrorDetails]) -> tuple[Key, str]:
    key = _key(errors[0])
    first, name = errors[0], ".".join(map(str, key))
    if first["type"] == "extra_forbidden":
        known = _keys_beside(model, key)
        return key, f"unknown key `{name}`{did_you_mean(str(key[-1]), known)}; here are known: {', '.join(known)}"
    if first["type"] == "missing":
        return key, f"the key `{name}` is missing"
    if first["type"] == "value_error":
        return key, ": ".join(filter(None, [name, str(first["ctx"]["error"])]))
    if say := _COUNTED.get(first["type"]):
        return key, f"`{name}` {say(first['ctx'])}"
    wanted = [_wanted(error) for error in errors if _key(error) == key]
    if not all(wanted):
        return key, f"`{name}` {first['msg']}"  # of a validator of ours
    what = f"`{name}`" if name else "this"
    return key, f"{what} must be {' or '.join(dict.fromkeys(map(str, wanted)))}{_not(first['input'])}{_hint(first)}"


def _key(error: ErrorDetails) -> Key:
    return tuple(part for part in error["loc"] if part not in _UNION)


def _keys_beside(model: type[BaseModel], key: Key) -> list[str]:
    """The keys that ``model`` knows where ``key`` stands."""
    for part in key[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _wanted(error: ErrorDetails) -> str | None:
    """What a value must be; None where Pydantic's text is one of ours."""
    if error["type"] == "literal_error":
        names = [f"`{name}`" for name in _names(error)]
        return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    wanted = _WANTED.get(error["type"])
    return wanted and wanted.format(**{name: _said(value) for name, value in error.get("ctx", {}).items()})


def _said(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def _names(error: ErrorDetails) -> list[str]:
    return _QUOTED.findall(error["ctx"]["expected"])


def _hint(error: ErrorDetails) -> str:
    given = error["input"]
    return did_you_mean(given, _names(error)) if error["type"] == "literal_error" and isinstance(given, str) else ""


def _not(value: Any) -> str:
    """What there is instead, as it was written; words in quotes, which may be what is wrong."""
    shown = f"'{value}'" if isinstance(value, str) else written(value)
    if len(shown) < _LONGEST:
        return f", not {shown}"
    return ", not a mapping" if isinstance(value, dict) else ", not a list" if isinstance(value, list) else ""


def _entries(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


_COUNTED: dict[str, Callable[[dict[str, Any]], str]] = {
    "too_short": lambda of: f"must have at least {_entries(of['min_length'])}, not {of['actual_length']:,}",
    "too_long": lambda of: f"must have at most {_entries(of['max_length'])}, not {of['actual_length']:,}",
}
