"""What `from methods import ...` gives, and what stands at the top of the folder."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import methods
from methods import available, get

FOLDER = Path(methods.__file__).parent


def test_a_plug_in_needs_no_other_door():
    classes = {"Quantizer", "CodebookQuantizer", "Quantized", "Card", "Knob"}
    functions = {"register", "create", "available", "nearest_codes", "straight_through", "vq_loss"}
    assert classes | functions <= set(methods.__all__)


@pytest.mark.parametrize("name", methods.__all__)
def test_a_name_is_that_of_its_module(name):
    assert getattr(methods, name) is getattr(import_module(methods._HOMES[name]), name)


def test_type_checkers_see_the_same_names_in_the_same_modules():
    """They read the imports, Python the table."""
    tree = ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == methods._HOMES
    assert sorted(seen) == methods.__all__


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="module 'methods' has no attribute 'quantiser'"):
        methods.quantiser  # noqa: B018


def test_at_the_top_stand_the_methods_alone_each_in_the_file_of_its_name():
    ours = [name for name in available() if get(name).__module__.startswith("methods.")]
    others = {name for name in ours if get(name).__module__.startswith("methods.adapters.")}
    files = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert files == {name for name in ours if get(name).__module__ == f"methods.{name}"}
    assert files == set(ours) - others
    assert {path.stem for path in (FOLDER / "adapters").glob("*.py")} - {"__init__", "base"} == others
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == {"adapters", "contract", "core", "parts"}
