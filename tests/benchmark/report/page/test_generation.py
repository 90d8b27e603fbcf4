"""The section on generation: numbers are those of summary.csv, samples lose nothing, what is missing is told."""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from benchmark.records.record import seal
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.page.content import content
from benchmark.report.page.generation import generation
from benchmark.report.page.site import page_data
from benchmark.report.priors import BITS

FOLDER = Path(__file__).parents[4] / "results" / "reference" / "generation_quickstart"
PRIOR, FSQ_PRIOR = (next(FOLDER.glob(f"runs/prior_{arm}-*")).name for arm in ("simvq", "fsq"))


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    return page_data(FOLDER, {}, 2_000_000)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "copy", ignore=shutil.ignore_patterns("plots", "tables"))


def _section(folder: Path) -> dict[str, Any]:
    found = generation(Grid(read(folder)))
    assert found is not None
    return found


def _edit(folder: Path, key: str, **changes: Any) -> None:
    path = folder / "runs" / key / "record.json"
    record = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(seal({name: value for name, value in record.items() if name != "digest"})))


def test_numbers_are_those_of_the_summary(page: dict[str, Any]):
    found = page["generation"]
    summary = pd.read_csv(FOLDER / "summary.csv").set_index("key")
    keys = found["runs"]["key"]
    assert sorted(keys) == sorted(key for key in summary.index if key.startswith("prior_"))
    for name, values in found["values"].items():
        np.testing.assert_array_equal(np.array(values, dtype=float), summary.loc[keys, name].to_numpy(), err_msg=name)
    by_key = dict(zip(keys, found["values"]["code_length"], strict=True))
    assert [1, 0, by_key[PRIOR], None, 1] in found["intervals"]["code_length"]
    assert found["against"] == ("reconstructions_fd_fashion_classifier", "samples_fd_fashion_classifier")
    assert found["runs"]["tokenizer"][keys.index(PRIOR)] == "simvq-K256-s0-302cd672"
    assert not [key for key in page["runs"]["key"] if key.startswith("prior_")]


def test_anchors_stand_as_in_their_table(page: dict[str, Any]):
    anchors = page["generation"]["anchors"]
    metrics = json.loads((FOLDER / "runs" / PRIOR / "record.json").read_text())["metrics"]
    names = [metric["name"] for metric in anchors["metrics"]]
    assert names[:2] == ["fd_fashion_classifier", "kid_fashion_classifier"]
    assert [row[2] for row in anchors["rows"] if row[0] == 1] == [
        "its reconstructions",
        "samples",
        "samples, guided",
        "single codes",
        "uniform codes",
    ]
    uniform = next(row for row in anchors["rows"] if (row[0], row[2]) == (1, "uniform codes"))
    assert uniform[3][:3] == [
        [metrics["uniform_fd_fashion_classifier"], None],
        [metrics["uniform_kid_fashion_classifier"], None],
        None,
    ]
    assert [row[0] for row in anchors["rows"] if row[2] == "training images"] == [None]


def test_samples_lose_nothing(page: dict[str, Any]):
    assert [(arm, place) for arm, place, _ in page["generation"]["sheets"]] == [(0, 0), (1, 0), (2, 0)]
    own = page["samples"][PRIOR]
    for name in ("generated", "nearest"):
        content = base64.b64decode(page["media"][own[name]].partition(",")[2])
        picture = matplotlib.image.imread(io.BytesIO(content))
        file = matplotlib.image.imread(FOLDER / "runs" / PRIOR / f"{name}.png")
        np.testing.assert_array_equal(picture, file[..., 0] if picture.ndim == 2 else file)
    assert page["samples"]["simvq-K256-s0-302cd672"]["picture"]


def test_a_curve_ends_where_the_history_does(page: dict[str, Any]):
    arm, place, steps, bits = page["generation"]["curves"][1]
    history = pd.read_csv(FOLDER / "runs" / PRIOR / "history.csv")
    assert (arm, place, steps[-1]) == (1, 0, history["step"].iloc[-1])
    assert bits[-1] == pytest.approx(BITS * history["validation_nll"].iloc[-1], rel=1e-4)
    assert page["prior_details"][PRIOR]["curves"]["validation_nll"]


def test_priors_that_failed_or_are_missing_are_told(copy: Path):
    _edit(copy, PRIOR, status="diverged", reason="loss is NaN", metrics={})
    shutil.rmtree(copy / "runs" / FSQ_PRIOR)
    found = _section(copy)
    runs = found["runs"]
    assert dict(zip(runs["key"], runs["status"], strict=True))[PRIOR] == "diverged"
    assert runs["reason"][runs["key"].index(PRIOR)] == "loss is NaN"
    assert runs["absent"] == 1
    assert [row[0] for row in found["intervals"]["nll"]] == [0]
    assert [arm for arm, *_ in found["curves"]] == [0]


def test_without_any_prior_the_section_says_so(copy: Path):
    for folder in (copy / "runs").glob("prior_*"):
        shutil.rmtree(folder)
    found = _section(copy)
    assert (found["columns"], found["against"], found["anchors"], found["sheets"]) == ([], None, None, [])
    assert found["runs"]["absent"] == 3


def test_samples_that_are_not_whole_are_left_out(copy: Path):
    (copy / "runs" / PRIOR / "generated.png").write_bytes(b"<script>")
    page = page_data(copy, {}, 2_000_000)
    assert any(PRIOR in problem for problem in page["problems"])
    assert PRIOR not in page["samples"]


def test_a_suite_without_a_second_stage_has_no_section():
    grid = Grid(read(FOLDER.parent / "quickstart"))
    assert generation(grid) is None
    assert {arm["family"] for arm in content(grid)[0]["arms"]} > {"plain codebook", "codewords behind a map"}
