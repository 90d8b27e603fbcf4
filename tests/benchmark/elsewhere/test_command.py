"""The command prints, keeps a record, and sets an arm beside those of a suite, marked and unranked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.cli import main
from benchmark.elsewhere.command import _text
from benchmark.elsewhere.measuring import Measured
from benchmark.records.store import read_whole

Write = Callable[[dict[str, object] | str], str]
CODES = np.arange(12) % 5


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_alone_it_prints_and_keeps_a_whole_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "codes.npy", CODES)
    arguments = ("measure", "--codes", tmp_path / "codes.npy", "--codebook-size", 8, "--results", tmp_path)
    assert call(*arguments) == 0
    printed = capsys.readouterr().out
    assert "Usage                           62.5%" in printed
    [folder] = (tmp_path / "measured" / "runs").iterdir()
    assert str(folder) in printed
    record = read_whole(folder)
    assert record["metrics"]["dead"] == 3
    assert set(record["files"]) == {"counts.npz"}
    assert str(tmp_path) not in (folder / "record.json").read_text()
    assert call(*arguments) == 0
    assert len(list((tmp_path / "measured" / "runs").iterdir())) == 1


def test_items_left_out_have_a_line_where_there_are_any() -> None:
    metrics = {"pesq": 3.5, "pesq_undefined": 2, "stoi": 0.9, "stoi_undefined": 0, "dead": 0}
    lines = [line.rsplit(maxsplit=1) for line in _text(Measured(metrics)).splitlines()]
    assert [value for _, value in lines] == ["3.50", "2", "0.900", "0"]


@pytest.mark.usefixtures("commands_in_process")
def test_it_stands_beside_the_arms_of_a_suite(
    tiny: dict[str, object],
    write_suite: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    tiny["tables"], tiny["plots"] = ["main"], ["usage", "training", "error_over_training"]
    suite, results = write_suite(tiny), ("--results", tmp_path / "results")
    np.save(tmp_path / "codes.npy", CODES)
    beside = ("measure", "--codes", tmp_path / "codes.npy", "--codebook-size", 8, "--suite", "tiny", *results)
    assert call(*beside, "--as", "mine") == 2
    assert "there are no results of a suite in" in capsys.readouterr().err
    assert call("run", suite, *results, "--jobs", 1) == 0
    assert call(*beside, "--as", "simvq") == 2
    assert "has an arm `simvq` of its own; give yours another name with --as" in capsys.readouterr().err
    assert call(*beside, "--as", "mine", "--at", "dataset.shift=1") == 2
    assert "takes no --at" in capsys.readouterr().err
    assert call(*beside, "--as", "no word") == 2
    for _ in range(2):
        assert call(*beside, "--as", "mine") == 0
    caplog.clear()
    assert call("run", suite, *results) == 0  # the plan is written anew, and keeps the arm
    assert not caplog.records  # of curves, which nothing was trained to have
    table = (tmp_path / "results" / "tiny" / "tables" / "main.md").read_text()
    [row] = [line.split("|") for line in table.splitlines() if line.startswith("| `mine`<sup>¶</sup> ")]
    assert [cell.strip() for cell in row[2:5]] == ["62.5", "4.9", "–"]
    assert row[-3].strip() == "–"  # no rate that nobody knows
    assert "made elsewhere: training, tuning and protocol are unknown here" in table
    assert "`mine` (N = 12 tokens, ceiling 79.9 %)" in table
    key = next(path.name for path in (tmp_path / "results" / "tiny" / "runs").iterdir() if path.name.startswith("mine"))
    capsys.readouterr()
    assert call("verify", key, *results) == 2
    assert "was measured from files made elsewhere" in capsys.readouterr().err
