"""Reading a results folder: what counts, what is skipped, what is said about it."""

import json
from collections.abc import Callable

import pytest

from benchmark.report.frame import read
from methods.errors import UsageError

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module


def test_one_row_a_run(synthetic: Make):
    results = synthetic(("vq_vae", "simvq", "no_quantization"), sizes=(256, 1024), seeds=2, artefacts=False)
    found = read(results.folder)
    runs, problems = found.runs, found.problems
    assert problems == []
    # 2 arms × 2 sizes × 2 seeds, and one run a seed that serves both sizes.
    assert len(runs) == 10
    record = json.loads(results.record_path("simvq", 1024, 1).read_text())
    row = runs.loc[record["key"]]
    assert row["usage"] == record["metrics"]["usage"]
    assert row["train_seconds"] == record["timings"]["train_seconds"]
    assert (row["method"], row["codebook_size"], row["level_sizes"], row["seed"]) == ("simvq", 1024, "1024", 1)


def test_a_run_without_size_serves_every_size(synthetic: Make):
    results = read(synthetic(("simvq", "no_quantization"), sizes=(256, 1024), seeds=2, artefacts=False).folder)
    assert len(results.cells) == 8
    assert results.is_size_free("no_quantization")
    assert not results.is_size_free("simvq")
    assert results.ok.groupby("arm").size().to_dict() == {"simvq": 4, "no_quantization": 4}


@pytest.mark.parametrize(
    "content",
    ["", '{"schema": 1, "key"', "[]", '{"schema": 99}', "\x00\x01", '{"schema": 1, "status": "ok", "metrics": 3}'],
)
def test_a_bad_record_is_named_and_never_counted(synthetic: Make, content: str):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.record_path("simvq", 256, 1).write_text(content)
    found = read(made.folder)
    runs, problems = found.runs, found.problems
    assert len(runs) == 3
    assert len(problems) == 1
    assert made.key("simvq", 256, 1) in problems[0]
    assert "not counted" in problems[0]


def test_a_record_under_another_key_is_not_counted(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=2, artefacts=False)
    made.record_path("vq_vae", 256, 0).write_text(made.record_path("vq_vae", 256, 1).read_text())
    found = read(made.folder)
    runs, problems = found.runs, found.problems
    assert list(runs["seed"]) == [1]
    assert "another run" in problems[0]


def test_records_outside_the_plan_are_counted_out_loud(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(cells=[cell for cell in made.plan["cells"] if cell["arm"] == "vq_vae"])
    results = read(made.folder)
    assert len(results.runs) == 4
    assert len(results.ok) == 2
    assert "2 records belong to no cell" in results.problems[0]


def test_nothing_run_yet(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=2, artefacts=False)
    for seed in (0, 1):
        made.record_path("vq_vae", 256, seed).unlink()
    results = read(made.folder)
    assert (len(results.runs), len(results.cells), len(results.ok)) == (0, 2, 0)
    assert not results.has("usage")


def test_without_a_plan(tmp_path):
    with pytest.raises(UsageError, match=r"there is no .*plan\.json"):
        read(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 7}'])
def test_a_bad_plan(tmp_path, content: str):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(UsageError, match=r"plan\.json"):
        read(tmp_path)


def test_unreadable_artefacts_are_warned_about(synthetic: Make, caplog: pytest.LogCaptureFixture):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1)
    folder = made.record_path("vq_vae", 256, 0).parent
    for name in ("history.csv", "counts.npz", "samples.png"):
        (folder / name).write_bytes(b"rubbish")
    results = read(made.folder)
    key = made.key("vq_vae", 256, 0)
    assert results.history(key) is None
    assert results.counts(key) is None
    assert results.samples(key) is None
    assert [name in caplog.text for name in ("history.csv", "counts.npz", "samples.png")] == [True] * 3
