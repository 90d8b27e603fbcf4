"""Checkpoints as Lightning writes them are read for their tensors; nothing in them is imported, called or believed."""

import argparse
import datetime
import functools
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.pretrained.unpickling import Stored, read_archive
from methods.core.usage import UsageError


class Calls:
    """Wants ``function`` to be called when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def of_a_package(name: str) -> Any:
    """An object of a class in a package that only whoever writes the file has."""
    package = types.ModuleType(name)
    made = type("Config", (dict,), {"__module__": name})
    package.Config = made  # type: ignore[attr-defined]
    sys.modules[name] = package
    return made({"target": "taming.models.vq"})


def lightning(path: Path) -> dict[str, torch.Tensor]:
    """The fields of Lightning's checkpoints, and the kinds of objects that are found in them."""
    whole = torch.arange(24.0).reshape(4, 6)
    weights = OrderedDict(first=whole[1:, ::2], half=torch.ones(2, dtype=torch.bfloat16), step=torch.tensor(7))
    weights["parameter"] = torch.nn.Parameter(torch.full((3,), 2.0))
    weights._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    settings = of_a_package("a_package_of_theirs")
    content = {
        "epoch": 49,
        "global_step": 250250,
        "pytorch-lightning_version": "2.2.0",
        "state_dict": weights,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 50}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"dirpath": Path("vq_log"), "best": np.float64(0.5)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"betas": (0.5, 0.9)}]}],
        "lr_schedulers": [functools.partial(max, 3)],
        "hparams_name": "kwargs",
        "hyper_parameters": {
            "config": settings,
            "options": argparse.Namespace(size=128),
            "seen": {1, 2},
            "when": datetime.date(2024, 11, 1),
            "counts": defaultdict(int, a=1),
            "raw": b"abc",
        },
    }
    torch.save(content, path)
    del sys.modules["a_package_of_theirs"]
    return dict(weights)


def test_what_lightning_writes_is_read_and_nothing_imported(tmp_path: Path) -> None:
    expected = lightning(tmp_path / "epoch=49.ckpt")
    archive = read_archive(tmp_path / "epoch=49.ckpt")
    assert "a_package_of_theirs" not in sys.modules
    assert {"a_package_of_theirs.Config", "argparse.Namespace", "functools.partial"} <= set(archive.placeholders)
    state = archive.content["state_dict"]
    assert all(isinstance(value, Stored) for value in state.values())
    found = archive.tensors(state)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value.detach()), name
        assert found[name].dtype == value.dtype


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch executed",), r"(posix|os).system"),
        (eval, ("open('executed', 'w')",), "builtins.eval"),
        (__import__, ("this",), "builtins.__import__"),
    ],
)
def test_what_wants_to_execute_is_refused(
    function: Any, arguments: tuple[Any, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "hyper_parameters": Calls(function, *arguments)}, "evil.ckpt")
    with pytest.raises(UsageError, match=rf"evil.ckpt is refused: it wants to call `{name}` while it is read"):
        read_archive(Path("evil.ckpt"))
    assert not Path("executed").exists()


def test_a_function_of_another_package_is_not_called(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "loader": Calls(np.save, str(tmp_path / "executed.npy"), [1])}, tmp_path / "odd.ckpt")
    assert read_archive(tmp_path / "odd.ckpt").placeholders == ["numpy.save"]
    assert not (tmp_path / "executed.npy").exists()
    torch.save({"state_dict": {}, "loader": Calls(Path.touch, tmp_path / "executed")}, tmp_path / "odd.ckpt")
    assert "builtins.getattr" in read_archive(tmp_path / "odd.ckpt").placeholders
    assert not (tmp_path / "executed").exists()


def write_zip(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


PICKLED = pickle.dumps({}, protocol=2)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a/other": b""}, "is no checkpoint of PyTorch but another archive"),
        ({"a/data.pkl": PICKLED, "a/constants.pkl": PICKLED}, "but another archive, such as TorchScript"),
        ({"a/data.pkl": PICKLED, "a/byteorder": b"big"}, "of another byte order"),
        ({"a/data.pkl": PICKLED[:-1]}, "is damaged: EOFError while it was read"),
        ({"a/data.pkl": b"\x80\x02cnothing\n"}, "is damaged: "),
        ({"a/data.pkl": b"\x80\x02}r\xff\xff\xff\xff" + b"R."}, "is damaged: "),  # the four thousand millionth object
    ],
)
def test_what_is_no_checkpoint(entries: dict[str, bytes], message: str, tmp_path: Path) -> None:
    write_zip(tmp_path / "odd.ckpt", entries)
    with pytest.raises(UsageError, match=message):
        read_archive(tmp_path / "odd.ckpt")


def test_files_of_other_kinds(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("not a checkpoint")
    with pytest.raises(UsageError, match="is no checkpoint as PyTorch writes them since version 1.6"):
        read_archive(tmp_path / "text.ckpt")
    with pytest.raises(UsageError, match="there is no checkpoint"):
        read_archive(tmp_path / "none.ckpt")
    write_zip(tmp_path / "packed.ckpt", {"a/data.pkl": PICKLED}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UsageError, match="is a packed archive"):
        read_archive(tmp_path / "packed.ckpt")


def test_values_that_are_not_there(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (values,) = [name for name in entries if "/data/" in name]
    for damaged in ({**entries, values: b"123"}, {name: v for name, v in entries.items() if name != values}):
        write_zip(tmp_path / "cut.pt", damaged)
        archive = read_archive(tmp_path / "cut.pt")
        with pytest.raises(UsageError, match="is damaged: the values of `a` can't be read"):
            archive.tensors(archive.content)
