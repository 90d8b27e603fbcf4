"""What a message names can be typed as it is printed."""

import shlex
from argparse import Namespace

import pytest

from benchmark import cli
from benchmark.hints import command

GIVEN = {
    "set": {
        "training.steps": 50,
        "grid.codebook_size": [64, 256],
        "training.clip_norm": None,
        "dataset.path": "my data",
    },
    "methods": ["simvq", "vq_vae"],
    "seeds": 2,
    "data": "a folder",
    "plugin": ["one.py", "other.py"],
    "device": "cpu",
    "results": "elsewhere",
}


@pytest.mark.parametrize("name", ["status", "run", "tables"])
def test_it_is_read_as_what_was_typed(name: str) -> None:
    taken = ("plugin", "results") if name == "tables" else GIVEN
    words = shlex.split(command(name, "my.yaml", Namespace(**GIVEN)))
    assert words[:3] == ["python", "-m", "benchmark"]
    read = vars(cli._parser().parse_args(words[3:]))
    assert (read["command"], read["suite"]) == (name, "my.yaml")
    assert {option: read[option] for option in taken} == {option: GIVEN[option] for option in taken}


def test_defaults_are_left_out() -> None:
    usual = cli._parser().parse_args(["run", "remedies"])
    assert command("status", "remedies", usual) == "python -m benchmark status remedies"
