"""The map of the house: which room may import which, and that no import leads back to where it came from."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from sources import below, statements

ROOT = Path(__file__).parents[1]

# A room is a folder with those in it that have no row of their own. It may import itself and the rooms named here.
SHARED = "benchmark methods methods.core methods.parts"  # seeds, processes, machine, cache, components; quantizers
ARROWS = {
    "methods.core": "",
    "methods.parts": "methods.core",
    "methods": "methods.core methods.parts",
    "methods.adapters": "methods methods.core methods.parts",
    "methods.contract": "methods methods.core methods.parts",
    "benchmark": "benchmark.records methods methods.core methods.parts",
    "benchmark.records": "methods.core",
    "benchmark.data": f"{SHARED} benchmark.records",
    "benchmark.models": f"{SHARED} benchmark.data",
    "benchmark.metrics": f"{SHARED} benchmark.records benchmark.data",
    "benchmark.objectives": f"{SHARED} benchmark.metrics",
    "benchmark.report": "benchmark methods.core benchmark.records benchmark.metrics",
    "benchmark.training": f"{SHARED} benchmark.records benchmark.data benchmark.models benchmark.metrics "
    "benchmark.objectives benchmark.pretrained",
    "benchmark.priors": f"{SHARED} benchmark.records benchmark.data benchmark.metrics benchmark.training",
    "benchmark.pretrained": "methods.core",
    "benchmark.worker": f"{SHARED} benchmark.records benchmark.data benchmark.metrics benchmark.objectives "
    "benchmark.training benchmark.pretrained benchmark.priors",
    "benchmark.suite": f"{SHARED} benchmark.records benchmark.data benchmark.models benchmark.metrics "
    "benchmark.objectives benchmark.report benchmark.pretrained benchmark.priors",
    "benchmark.sweep": f"{SHARED} benchmark.records benchmark.data benchmark.metrics benchmark.training "
    "benchmark.priors benchmark.worker benchmark.suite",
    "benchmark.elsewhere": f"{SHARED} benchmark.records benchmark.data benchmark.metrics",
    "benchmark.sensitivity": f"{SHARED} benchmark.data benchmark.metrics benchmark.report",
    "benchmark.entries": f"{SHARED} benchmark.records benchmark.data benchmark.models benchmark.metrics "
    "benchmark.objectives benchmark.priors benchmark.report benchmark.suite",
    "benchmark.perf": f"{SHARED} benchmark.records benchmark.data benchmark.training benchmark.suite benchmark.report",
}
EXCEPTIONS = {
    # Latents as a data set are those of an autoencoder that is trained for them.
    ("benchmark.data.latents", "benchmark.training"),
}
DOORS = {
    f"benchmark.{name}"
    for name in (
        "__main__",
        "cli",
        "commands",
        "checking",
        "record_commands",
        "showing",
        "files_page",
        "api",
    )
}
"""What a person types or calls reaches every room."""


def _modules() -> dict[str, Path]:
    files = [file for folder in ("benchmark", "methods") for file in (ROOT / folder).rglob("*.py")]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


MODULES = _modules()


def _imported(file: Path) -> set[str]:
    """The modules of the project that ``file`` imports, those in functions too, not those for types alone."""
    found = set()
    for_types = {
        id(inner)
        for node in statements(file)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in below(node)
    }
    for node in statements(file):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


def _room(module: str) -> str:
    inside = [room for room in ARROWS if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len)


@cache
def _graph() -> dict[str, set[str]]:
    return {module: _imported(file) for module, file in MODULES.items()}


@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_only_what_the_map_allows(room: str) -> None:
    allowed = {room, *ARROWS[room].split()}
    wrong = [
        f"{module} imports {target}"
        for module, targets in _graph().items()
        if _room(module) == room and module not in DOORS
        for target in sorted(targets)
        if _room(target) not in allowed and (module, _room(target)) not in EXCEPTIONS
    ]
    assert not wrong


def test_nothing_imports_the_doors() -> None:
    assert {m for m, targets in _graph().items() if targets & DOORS} <= DOORS | {"benchmark"}


def test_no_import_leads_back() -> None:
    TopologicalSorter(_graph()).prepare()  # raises CycleError with the modules of the circle


def test_the_map_names_no_room_that_is_gone() -> None:
    assert set(ARROWS) <= MODULES.keys()
    assert all(_room(room) == room for row in ARROWS.values() for room in row.split())
    assert all(_room(target) not in ARROWS[_room(module)].split() for module, target in EXCEPTIONS)
