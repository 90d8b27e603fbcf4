"""The statements of a source file, read once for all tests that look at what the code imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@cache
def statements(file: Path) -> list[ast.stmt]:
    """Every statement of ``file``, those in functions and classes too."""
    return list(below(ast.parse(file.read_text(encoding="utf-8"))))


def below(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement within ``node``; expressions, most of a tree, are not looked through."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, name, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from below(inner)
