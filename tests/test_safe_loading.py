"""Nothing that is read from disk is executed: every loader in the code is the safe one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("benchmark", "methods") for path in (ROOT / folder).rglob("*.py"))
NEVER = {"eval", "exec", "pickle.load", "pickle.loads", "yaml.unsafe_load", "yaml.full_load", "joblib.load"}
PROGRAMS = {"methods/core/plugins.py: exec"}
"""A plug-in is a program that a person names."""
LAST = {name.rpartition(".")[2] for name in {*NEVER, "torch.load", "np.load", "yaml.load"}}
LOADERS = ("methods/core/saved.py", "methods/contract/")
"""Elsewhere what PyTorch says of a bad file, to load it unsafely, could reach a person; the contract reads its own."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with its dotted name, of what is named as a loader is; few files have the word at all."""
    text = path.read_text(encoding="utf-8")
    if LAST.isdisjoint(re.findall(r"\w+", text)):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in LAST:
                yield name, node


def test_loaders() -> None:
    for path in SOURCES:
        for name, call in calls(path):
            where = f"{path}:{call.lineno}: {name}"
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert name not in NEVER or f"{path.relative_to(ROOT).as_posix()}: {name}" in PROGRAMS, where
            assert name != "torch.load" or options.get("weights_only") == "True", where
            assert name != "torch.load" or path.relative_to(ROOT).as_posix().startswith(LOADERS), where
            assert name != "np.load" or options.get("allow_pickle", "False") == "False", where
            assert name != "yaml.load" or options.get("Loader") == "Loader", where
