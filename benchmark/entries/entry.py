"""What is said of one thing that a suite can name: a text, options with their defaults, an example."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from benchmark.entries.option_meanings import meaning
from benchmark.entries.option_types import type_of_option
from benchmark.values import written

REQUIRED = "required"


@dataclass(frozen=True)
class Option:
    """One option: ``default`` as a suite would write it, or `REQUIRED`; ``meaning``: unit and more, if said."""

    name: str
    default: str
    type: str
    meaning: str = ""

    @property
    def about(self) -> str:
        """Type and meaning."""
        return "; ".join(filter(None, [self.type, self.meaning]))


@dataclass(frozen=True)
class Entry:
    """What stands behind a name of one ``kind``; ``example`` is YAML of a suite, or a command."""

    kind: str
    name: str
    text: str
    options: tuple[Option, ...] = ()
    example: str = ""

    @property
    def sentence(self) -> str:
        """The first of the text, without its full stop."""
        return " ".join(self.text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


@dataclass(frozen=True)
class Kind:
    """One kind of thing: the names that there are, and what makes the entry of a kind and a name."""

    names: Callable[[], Sequence[str]]
    entry: Callable[[str, str], Entry]


def signature(options: Mapping[str, inspect.Parameter], of: str = "") -> tuple[Option, ...]:
    """Options of a call; with their meanings where they are those ``of`` a component."""
    return tuple(
        Option(
            name,
            REQUIRED if option.default is inspect.Parameter.empty else default_of(option.default),
            type_of_option(option),
            meaning(of, name) if of else "",
        )
        for name, option in options.items()
    )


def default_of(value: Any) -> str:
    """As a suite would write it, what is chosen by name as its name."""
    return getattr(value, "name", "{}") if isinstance(value, BaseModel) else written(value)
