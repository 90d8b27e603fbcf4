"""Values as a person types them, in a suite's file or by ``--set``: words and numbers as YAML 1.2 has them."""

import math
import re
from typing import Any

import yaml

from methods.core.usage import UsageError

Key = tuple[str | int, ...]
DEEPEST = 20
MOST = 100_000
"""Levels and values of a document; more is no suite, and might never end."""
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"": None, "~": None} | {
    spelling: value
    for word, value in {"null": None, "true": True, "false": False}.items()
    for spelling in (word, word.capitalize(), word.upper())
}
_TAG = "tag:yaml.org,2002:"
_GROUP = re.compile(r"[0-9]{3}")
_LEADING_GROUP = re.compile(r"[0-9]{1,3}")


class _Loader(yaml.BaseLoader):
    """Marks what bears no tag; PyYAML's own guesses are those of YAML 1.1."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return "untagged" if kind is yaml.ScalarNode else super().resolve(kind, value, implicit)


class BadValueError(UsageError):
    """Something in a document that can't be read, and the line where it stands."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class Values:
    """Plain values of YAML 1.2's core schema: no dates, no numbers in base 60, no merge keys; all numbers finite.

    Attributes:
        lines: the line of every key that was read, from 1.
    """

    def __init__(self) -> None:
        self.lines: dict[Key, int] = {}
        self._count = 0

    def read(self, text: str) -> Any:
        """The value of a whole document, None of an empty one.

        Raises:
            BadValueError: it is no YAML, or holds something that can't be read.
        """
        try:
            return self.of(yaml.compose(text, Loader=_Loader))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise BadValueError(f"not valid YAML: {getattr(error, 'problem', None) or error}", line) from error
        except RecursionError as error:
            raise BadValueError("nested too deeply to be a suite", 1) from error

    def of(self, node: yaml.Node | None) -> Any:
        """The value of a node and of all below it.

        Raises:
            BadValueError: something that can't be read.
        """
        return None if node is None else self._value(node, ())

    def _value(self, node: yaml.Node, key: Key) -> Any:
        self.lines.setdefault(key, _line(node))
        self._count += 1
        if len(key) > DEEPEST or self._count > MOST:
            raise BadValueError("nested too deeply, or too large, to be a suite", _line(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            _check_separators(node)
            return [self._value(item, (*key, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return scalar(node)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            name = scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(name, str):
                raise BadValueError("a key must be a word", line)
            if name == "<<":
                raise BadValueError("merge keys (`<<`) are not read; write out what they stand for", line)
            if name in mapping:
                raise BadValueError(f"the key `{name}` stands here twice", line)
            self.lines[(*key, name)] = line
            mapping[name] = self._value(value_node, (*key, name))
        return mapping


def scalar(node: yaml.ScalarNode) -> Any:
    """The word, number, truth value or null that a scalar stands for.

    Raises:
        BadValueError: a tag that is none of these, or with which the text does not go; a number too large.
    """
    text, tag = node.value, node.tag.removeprefix(_TAG)
    plain = tag == "untagged" and node.style is None
    if text in _WORDS and (plain or tag == ("null" if _WORDS[text] is None else "bool")):
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and (plain or tag == "int"):
        return _integer(text, node)
    if _FLOAT.fullmatch(text) and (plain or tag == "float"):
        return _finite(text, node)
    if tag in ("untagged", "str"):
        return text
    raise BadValueError(f"can't read `{text[:40]}` as {node.tag[:60]}", _line(node))


def _integer(text: str, node: yaml.Node) -> int:
    try:
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    except ValueError:  # Python reads at most 4,300 digits
        raise BadValueError(f"`{text[:20]}…` has {len(text):,} digits, too many for a number", _line(node)) from None


def _finite(text: str, node: yaml.Node) -> float:
    if text[-1].isalpha() or not math.isfinite(float(text)):
        raise BadValueError(f"`{text[:40]}` is no finite number", _line(node))
    return float(text)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _check_separators(node: yaml.SequenceNode) -> None:
    """Ask where ``[1,024]`` may mean 1024: a zero leads the second number, or only both together are a power of two."""
    for left, right in zip(node.value, node.value[1:], strict=False):
        joined = left.end_mark.index + 1 == right.start_mark.index
        if not joined or not _LEADING_GROUP.fullmatch(str(left.value)) or not _GROUP.fullmatch(str(right.value)):
            continue
        both, powers = left.value + right.value, [_power_of_two(int(part.value)) for part in (left, right)]
        if right.value[0] == "0" or (_power_of_two(int(both)) and not all(powers)):
            raise BadValueError(
                f"does `{left.value},{right.value}` mean {both}, then write it without the comma, or two numbers, then "
                "write a space after the comma",
                _line(right),
            )


def _power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def written(value: Any) -> str:
    """As a suite would write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(inner)}" for key, inner in value.items()) + "}"
    return str(value)


def parse_value(text: str) -> Any:
    """The value of ``--set key=value``, read as YAML; the text itself where it is none.

    Raises:
        UsageError: it is YAML, but something in it can't be read.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return text
    return Values().of(node)
