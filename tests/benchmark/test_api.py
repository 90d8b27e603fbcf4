"""The harness from Python: a suite as a mapping, results as data frames, the notebook in docs."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchmark
from benchmark import api
from methods import UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, commands_in_process: None) -> None:
    from benchmark.sweep import launching

    monkeypatch.setattr(api, "LocalLauncher", launching.LocalLauncher)  # which the fixture has replaced


def test_the_package_offers_what_it_says_and_imports_nothing_for_it() -> None:
    assert benchmark.measure is api.measure
    assert all(callable(getattr(benchmark, name)) for name in benchmark.__all__)
    with pytest.raises(AttributeError, match="no attribute 'plot'"):
        _ = benchmark.plot


def test_a_mapping_is_planned_run_and_read(tiny: dict[str, object], in_this_process: None, tmp_path: Path) -> None:
    tiny["plots"] = ["usage"]  # the notebook draws those that are drawn by default
    planned = benchmark.plan(tiny, name="here", device="cpu")
    assert [cell.arm for cell in planned.cells] == ["vq_vae", "simvq"]
    again = {"results": tmp_path, "device": "cpu", "jobs": 1, "quiet": True}
    found = benchmark.run(tiny, name="here", **again)  # type: ignore[arg-type]
    assert list(found["key"]) == [run.key for run in planned.runs]
    assert list(found["status"]) == ["ok", "ok"]
    assert found["usage"].between(0, 1).all()
    folder = tmp_path / "here"
    pd.testing.assert_frame_equal(benchmark.load_results(folder), found)
    history = benchmark.load_history(folder)
    assert history.groupby("arm")["step"].max().to_dict() == {"simvq": 5, "vq_vae": 5}
    [counts] = benchmark.load_counts(folder, found["key"][0])
    assert counts.dtype == np.int64
    assert (counts > 0).mean() == found["usage"][0]
    written = benchmark.make_tables(folder)
    assert folder / "tables" / "main.md" in written
    fewer = benchmark.run(tiny, name="here", methods=["simvq"], overrides={"training.steps": 12}, **again)  # type: ignore[arg-type]
    assert list(fewer[fewer["planned"] == 1]["steps"]) == [12]


def test_a_mistake_is_one_sentence(tiny: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="^suite `mine`: unknown method `simqv`"):
        benchmark.plan({**tiny, "methods": ["simqv"]})
    with pytest.raises(UsageError, match="the name of a suite must be of letters, digits, - and _, not `../x`"):
        benchmark.plan(tiny, name="../x")
    with pytest.raises(UsageError, match=r"there is no .*plan.json: run the suite first"):
        benchmark.load_results(tmp_path)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"seeds": 3}, "`seeds` must be a list of different whole numbers from 0, as in .*, not 3"),
        ({"seeds": []}, "`seeds` must be a list"),
        ({"seeds": [0, 0]}, "`seeds` must be a list"),
        ({"seeds": [-1]}, "`seeds` must be a list"),
        ({"seeds": "0,1"}, "`seeds` must be a list"),
        ({"methods": "simvq"}, "`methods` must be a list of names, as in .*, not 'simvq'"),
        ({"methods": []}, "`methods` must be a list of names"),
        ({"overrides": "training.steps=5"}, "`overrides` must be a mapping"),
        ({"overrides": {3: 5}}, "`overrides` has the key 3"),
        ({"results": 3}, "`results` must be a path, as in .*, not 3"),
        ({"name": 3}, "the name of a suite must be of letters"),
        ({"device": "tpu"}, "tpu is no device"),
    ],
)
def test_arguments_of_a_wrong_type_are_one_sentence(
    given: dict[str, object], sentence: str, tiny: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match=sentence):
        benchmark.plan(tiny, **{"device": "cpu", **given})


def test_a_suite_holds_plain_values_and_numbers_of_numpy(tiny: dict[str, object]) -> None:
    sizes = {"codebook_size": np.array([8, 16])}
    planned = benchmark.plan({**tiny, "grid": sizes}, seeds=np.arange(2), device="cpu")  # type: ignore[arg-type]
    same = benchmark.plan({**tiny, "grid": {"codebook_size": [8, 16]}}, seeds=[0, 1], device="cpu")
    assert [run.key for run in planned.runs] == [run.key for run in same.runs]
    with pytest.raises(UsageError, match="`mine.grid.codebook_size.0` must be made of words, numbers.* not of type"):
        benchmark.plan({**tiny, "grid": {"codebook_size": [int]}})
    for suite in (3, None, [tiny]):
        with pytest.raises(UsageError, match="a suite is a name, a file or a mapping, not"):
            benchmark.plan(suite)  # type: ignore[arg-type]


@pytest.mark.parametrize("jobs", [0, 1.5, "two"])
def test_jobs_are_a_whole_number(jobs: object, tiny: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`jobs` must be a whole number of at least 1"):
        benchmark.run(tiny, results=tmp_path, jobs=jobs)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", [benchmark.load_results, benchmark.load_history, benchmark.make_tables])
def test_a_folder_is_a_path(call: Callable[[object], object]) -> None:
    with pytest.raises(UsageError, match="`folder` must be a path"):
        call(["results/mine"])


def test_the_notebook_runs(in_this_process: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    notebook = json.loads((ROOT / "docs" / "python.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for cell in cells:
        short = (
            cell.replace('"steps": 300', '"steps": 5')
            .replace('"test_items": 128', '"test_items": 32')
            .replace("seeds=[0, 1]", "seeds=[0]")
        )
        exec(compile(short, "docs/python.ipynb", "exec"), names)
    assert isinstance(names["results"], pd.DataFrame)
    assert (tmp_path / "results" / "mine" / "tables" / "main.md").is_file()
