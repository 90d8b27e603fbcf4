"""Many histories in one go: what each is alone, and nothing of those that are not plain."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.report.histories import read_alike

HEADING = "step,usage,validation_error"


def _write(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"{number}.csv" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    return paths


def test_each_is_what_pandas_reads_of_it_alone(tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = [
        [f"{step},{rng.random()!r},{float(rng.random() * 10.0 ** rng.integers(-9, 9))!r}" for step in (1, 2)]
        for _ in "ab"
    ]
    texts = ["\n".join([HEADING, *own]) + "\n" for own in rows]
    paths = _write(
        tmp_path, *texts, f"{HEADING}\n1,,nan\n2, 0.5,inf\n3,0.25,1e400", "step,usage\n7,0.1234567890123456789\n"
    )
    found = read_alike(paths)
    assert list(found) == paths
    for path in paths:
        pd.testing.assert_frame_equal(found[path], pd.read_csv(path, dtype=float), check_exact=True)


@pytest.mark.parametrize(
    "odd",
    [
        f"{HEADING}\n1,0.5\n2,0.5,1\n",
        f"{HEADING}\n1,0.5,1,9\n",
        f"{HEADING}\n\n1,0.5,1\n",
        f'{HEADING}\n1,"0.5",1\n',
        f"{HEADING}\r\n1,0.5,1\r\n",
        f"{HEADING}\n",
        "step\n1\n",
        "",
        "rubbish",
    ],
)
def test_what_is_not_plain_is_left_to_who_reads_it_alone(tmp_path: Path, odd: str):
    strange, plain = _write(tmp_path, odd, f"{HEADING}\n1,0.5,1\n")
    assert list(read_alike([strange, plain, tmp_path / "missing.csv"])) == [plain]


def test_a_word_among_the_numbers_leaves_all_of_its_heading_alone(tmp_path: Path):
    paths = _write(tmp_path, f"{HEADING}\n1,half,1\n", f"{HEADING}\n1,0.5,1\n", "step,usage\n1,0.5\n")
    assert list(read_alike(paths)) == paths[2:]


def test_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / "0.csv").write_bytes(b"step,usage\n1,\xff\n")
    assert read_alike([tmp_path / "0.csv"]) == {}
