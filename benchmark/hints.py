"""Commands that a message names, such that they run as printed."""

import argparse
import shlex
from collections.abc import Iterator
from typing import Any

from benchmark.values import written

_OF_SUITE = ("set", "methods", "seeds", "data", "plugin", "device", "results")
_TAKES = {"status": _OF_SUITE, "run": _OF_SUITE, "tables": ("plugin", "results")}
_DEFAULTS = {"device": "auto", "results": "results"}


def command(name: str, word: str, options: argparse.Namespace) -> str:
    """`python -m benchmark NAME WORD` with those of ``options`` that this command takes and that are no defaults."""
    parts = ["python", "-m", "benchmark", name, word]
    for option in _TAKES[name]:
        for text in _typed(option, getattr(options, option, None)):
            parts += [f"--{option}", text]
    return shlex.join(parts)


def _typed(option: str, value: Any) -> Iterator[str]:
    """What stands behind each mention of an option."""
    if option == "set":
        yield from (f"{key}={written(of)}" for key, of in (value or {}).items())
    elif option == "plugin":
        yield from value or []
    elif option == "methods":
        yield from [",".join(value)] if value else []
    elif value and value != _DEFAULTS.get(option):
        yield str(value)
