"""docs/libraries.md: its example is a method that keeps the contract, and its table is what the class declares."""

import re
from pathlib import Path

from sound_method import broken_promises

from methods import get, load_plugin
from methods.adapters.vector_quantize_pytorch import CLASSES

PAGE = (Path(__file__).parents[3] / "docs" / "libraries.md").read_text(encoding="utf-8")
OPTIONS = ("affine_param", "diveq", "beam_size", "orthogonal_rotation", "spherical")


def test_the_example_keeps_the_contract(tmp_path, own_registries):
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "theirs.py"
    file.write_text(example)
    load_plugin(file)
    assert broken_promises("theirs") == {}


def test_the_table_is_what_the_method_declares():
    rows, classes = set(), ""
    for line in re.findall(r"^\|(.*)\|$", PAGE.split("## What they do not promise")[1], re.MULTILINE)[2:]:
        named, checks, words = (cell.strip() for cell in line.split("|"))
        classes = named or classes
        rows |= {(name, check, words) for name in classes.split(", ") for check in checks.split(", ")}
    assert rows == set(declared())


def declared():
    method = get("vector_quantize_pytorch")
    for name in CLASSES:
        for params in ({}, *({option: True} for option in OPTIONS)):
            for check, words in method.not_promised(**{"class": name, **params}).items():
                yield name, check, words
