"""By default is installed what `methods` and the harness need; the rest are extras, and what lacks one says so."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sources import statements

from benchmark.cli import main
from benchmark.extras import EXTRAS, MissingPackageError, extras_named

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DISTRIBUTIONS = {
    "PIL": "pillow",
    "faiss": "faiss-cpu",
    "fontTools": "matplotlib",
    "llvmlite": "numba",
    "ot": "pot",
    "pydantic_core": "pydantic",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "triton": "torch",
    "vl_convert": "vl-convert-python",
    "yaml": "pyyaml",
}
"""Those that bear another name than their module, or come with another one."""


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[>=<!~]", requirement)[0].replace("_", "-") for requirement in requirements}


BASE = names(PROJECT["project"]["dependencies"])
OPTIONAL = {extra: names(needs) for extra, needs in PROJECT["project"]["optional-dependencies"].items()}
WEIGHTS = names(PROJECT["dependency-groups"]["weights"])


def imported(folder: str) -> set[str]:
    """Distributions that a folder's code imports."""
    found = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in statements(file):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    modules = {name.split(".")[0] for name in found} - sys.stdlib_module_names - {"benchmark", "methods"}
    return {DISTRIBUTIONS.get(module, module.replace("_", "-")) for module in modules}


def test_methods_need_nothing_but_the_default() -> None:
    assert imported("methods") <= BASE | OPTIONAL["libraries"]


def test_everything_else_is_in_an_extra() -> None:
    assert imported("benchmark") <= BASE | WEIGHTS | set().union(*OPTIONAL.values())


ALONE = """
import contextlib, io, json, runpy, sys
import numpy as np
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
ended = {{}}
for arguments in {commands}:
    sys.argv[1:], out, err = arguments, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_module("benchmark", run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code or 0
    ended[arguments[0]] = (code, out.getvalue(), err.getvalue())
from benchmark import measure
ended["from Python"] = (0, str(measure(np.arange(6), 8).metrics["usage"]), "")
for name, call in (
    ("load_results", lambda: __import__("benchmark").load_results("results")),
    ("images", lambda: measure(originals="images", reconstructions="images")),
):
    try:
        call()
    except ImportError as error:
        ended[name] = (2, "", str(error))
print(json.dumps(ended))
"""
"""Runs commands where none of ``missing`` is installed, and says of each how it ended and what it told."""


@pytest.fixture(scope="module")
def ended_alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """Exit code, output and errors by command, all in one process."""
    folder = tmp_path_factory.mktemp("alone")
    np.save(folder / "codes.npy", np.arange(6))
    commands = [
        ["check", "simvq", "--set", "bet=1"],
        ["measure", "--codes", "codes.npy", "--codebook-size", "8"],
    ]
    missing = {module for module in EXTRAS if module != "scipy"}  # which comes with POT
    script = ALONE.format(missing=missing, commands=commands)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("command", ["check", "measure"])
def test_what_needs_no_extra_does_without(ended_alone: dict[str, tuple[int, str, str]], command: str) -> None:
    code, out, err = ended_alone[command]
    if command == "measure":
        assert code == 0, err
        assert "Usage                           75.0%" in out
    else:
        assert code == 2
        assert err.startswith("error: `simvq` has no parameter `bet` (did you mean `beta`?)")


def test_so_it_is_from_python(ended_alone: dict[str, tuple[int, str, str]]) -> None:
    assert ended_alone["from Python"][1] == "0.75"
    told = r"this needs the package of `\w+`, which is not installed: pip install 'codebook-bench\[{}\]'"
    assert re.fullmatch(told.format("reports"), ended_alone["load_results"][2])
    assert re.fullmatch(told.format("images"), ended_alone["images"][2])


def test_another_package_that_is_missing_stays_an_error_of_its_own() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such") as found, extras_named():
        __import__("no_such")
    assert not isinstance(found.value, MissingPackageError)


@pytest.mark.parametrize("module", EXTRAS)
def test_a_package_is_in_the_extra_that_is_named(module: str) -> None:
    parts = ("images", "speech", "reports") if EXTRAS[module] == "all" else (EXTRAS[module],)
    distribution = DISTRIBUTIONS.get(module, module.replace("_", "-"))
    assert any(distribution in OPTIONAL[part] for part in parts)


def test_a_package_that_is_not_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'pandas'", name="pandas")

    monkeypatch.setattr("benchmark.cli.resolve_name", missing)
    with pytest.raises(SystemExit) as ended:
        main(["list"])
    assert ended.value.code == 2
    told = "error: this needs the package of `pandas`, which is not installed: pip install 'codebook-bench[reports]'\n"
    assert capsys.readouterr().err == told
