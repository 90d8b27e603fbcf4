"""What records say is text: no terminal obeys it and no spreadsheet computes it."""

import math
from pathlib import Path

import pytest

from benchmark.records.files import read_rows
from benchmark.records.history import write_history
from benchmark.records.plain import csv_cell, one_line, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain: 64×64, β = 0.25\n\tnext line", "plain: 64×64, β = 0.25\n\tnext line"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b2J\x7f\r\b\x00", r"\x9b2J\x7f\r\x08\x00"),
        ("gnp.\u202eexe", r"gnp.\u202eexe"),
        ("half \udc80", r"half \udc80"),
        ("two\u2028lines", r"two\u2028lines"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a sentence,  two spaces", "a sentence,  two spaces"),
        ("ValueError: a\r\nok  all is well", "ValueError: a ok  all is well"),
        ("a\n\n    b\x0bc\u2028d\x1b[2J\ttab\n", "a b c d\\x1b[2J\ttab"),
        (Path("results/one\ntwo"), "results/one two"),
        ("\n", ""),
    ],
)
def test_one_line(text: object, expected: str) -> None:
    assert one_line(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+A1", "'+A1"),
        ("-A1", "'-A1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\\r=1"),
        ("\n=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("a = 1", "a = 1"),
        ("", ""),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        (-0.5, -0.5),
        (-3, -3),
        (None, None),
    ],
)
def test_csv_cell(value: object, expected: object) -> None:
    assert csv_cell(value) == expected
    assert type(csv_cell(value)) is type(value)


def test_a_missing_number_stays_one() -> None:
    assert math.isnan(csv_cell(math.nan))  # type: ignore[arg-type]


def test_a_history_has_no_formulas_for_names(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [{"step": 1, "=1+1": -0.5}, {"step": 2}])
    assert read_rows(tmp_path / "history.csv") == [{"step": "1", "'=1+1": "-0.5"}, {"step": "2", "'=1+1": ""}]
