"""The type of an option in the words of a suite, from the annotation in the code."""

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

_TYPES: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
    dict: "mapping",
    Mapping: "mapping",
    list: "list",
    tuple: "list",
    Sequence: "list",
}


def parts(annotation: Any) -> list[Any]:
    """The annotation and all that it is made of."""
    return [annotation, *(part for inner in get_args(annotation) for part in parts(inner))]


def type_in_words(annotation: Any) -> str:
    """``whole number or null``, ``constant, cosine or linear``; nothing of what suites have no words for."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    if hasattr(annotation, "__metadata__"):
        by_name = any(isinstance(extra, BeforeValidator) for extra in annotation.__metadata__)
        return f"name or {type_in_words(inner[0])}" if by_name else type_in_words(inner[0])
    if _TYPES.get(origin) == "list" and (inside := type_in_words(inner[0])):
        return f"list of {' or '.join(f'{part}s' for part in inside.split(' or '))}"
    if annotation in _TYPES or origin in _TYPES:
        return _TYPES[annotation if annotation in _TYPES else origin]
    if inner and all(isinstance(value, str) for value in inner):
        return " or ".join([", ".join(inner[:-1]), inner[-1]] if len(inner) > 1 else inner)
    return " or ".join(dict.fromkeys(filter(None, map(type_in_words, inner))))


def type_of_option(option: inspect.Parameter) -> str:
    """As it is annotated; of another library's, which may not be, that of the default."""
    if option.annotation is not inspect.Parameter.empty:
        return type_in_words(option.annotation)
    value = option.default
    if value is None or value is inspect.Parameter.empty:
        return "value or null" if value is None else "value"
    if isinstance(value, list | tuple) and value:
        return f"list of {type_in_words(type(value[0]))}s"
    return type_in_words(type(value))
