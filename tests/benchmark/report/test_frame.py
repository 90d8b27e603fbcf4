"""Reading a results folder: what counts, what is skipped, what is said about it."""

import io
import json
import math
import shutil
from collections.abc import Callable

import pandas as pd
import pytest

from benchmark.records.store import Store
from benchmark.report.build import summary_csv
from benchmark.report.frame import read
from benchmark.report.grid import Grid
from benchmark.report.plots import PLOTS
from benchmark.report.style import arm_styles
from benchmark.report.write import write_reports
from methods.core.usage import UsageError

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


@pytest.fixture
def sealed(synthetic: Make) -> "SyntheticResults":  # noqa: F821
    """Two seeds of an arm, whose records vouch for themselves and for their files."""
    made = synthetic(("vq_vae",), sizes=(256,), seeds=2)
    for seed in (0, 1):
        path = made.record_path("vq_vae", 256, seed)
        Store(made.folder).write_record(path.parent.name, json.loads(path.read_text()))
    return made


def test_a_flipped_digit_is_named_and_never_counted(sealed):
    path = sealed.record_path("vq_vae", 256, 1)
    usage = json.loads(path.read_text())["metrics"]["usage"]
    path.write_text(path.read_text().replace(f'"usage": {usage}', f'"usage": {usage + 0.1}'))
    results = read(sealed.folder)
    assert results.problems == [f"{path} is not what its run wrote; it is not counted"]
    assert results.ok["seed"].tolist() == [0]


@pytest.mark.parametrize(
    "name", ["history.csv", "counts.npz", "snapshots.npz", "samples.png", "samples/reconstruction_1.wav"]
)
def test_a_run_with_another_file_than_it_wrote_is_not_counted(sealed, name: str):
    folder = sealed.record_path("vq_vae", 256, 1).parent
    (folder / name).write_bytes((folder.with_name(sealed.key("vq_vae", 256, 0)) / name).read_bytes() + b" ")
    results = read(sealed.folder)
    assert results.problems == [f"{folder / name} is not what its run wrote; it is not counted"]
    assert results.ok["seed"].tolist() == [0]


def test_nothing_is_drawn_from_a_file_that_no_record_names(sealed):
    other, key = sealed.key("vq_vae", 256, 0), sealed.key("vq_vae", 256, 1)
    names = ["history.csv", "counts.npz", "snapshots.npz", "samples.png", "samples"]
    store = Store(sealed.folder)
    store.thin(key, store.record(key), names)
    for name in names[:-1]:
        shutil.copy(sealed.folder / "runs" / other / name, sealed.folder / "runs" / key)
    results = read(sealed.folder)
    for look in (results.history, results.counts, results.snapshots, results.samples):
        assert look(other) is not None
        assert look(key) is None
    assert results.file(other, "samples/original_1.wav") is not None
    assert results.file(key, "samples/original_1.wav") is None


def test_records_outside_the_plan_are_counted_out_loud(synthetic: Make):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2, artefacts=False)
    made.edit_plan(cells=[cell for cell in made.plan["cells"] if cell["arm"] == "vq_vae"])
    results = read(made.folder)
    assert len(results.runs) == 4
    assert len(results.ok) == 2
    assert "2 records belong to no cell of plan.json: they are in no table" in results.problems[0]
    assert results.runs.groupby("arm")["planned"].unique().map(list).to_dict() == {"simvq": [0], "vq_vae": [1]}


def test_records_of_another_protocol_are_named_by_what_sets_them_apart(synthetic: Make):
    made = synthetic(("vq_vae", "simvq", "cvq_vae", "no_quantization"), sizes=(256,), seeds=3, artefacts=False)
    protocol = made.plan["protocol"]
    ours = {**protocol["training"], "steps": 16_000, "schedule": "cosine"}
    for arm, rate in (("simvq", 3e-3), ("no_quantization", 1e-3)):
        for seed in range(3):
            config = json.loads(made.record_path(arm, 256, seed).read_text())["config"]
            made.edit(arm, 256, seed, config={**config, "training": {**ours, "learning_rate": rate}})
    config = json.loads(made.record_path("cvq_vae", 256, 2).read_text())["config"]
    made.edit("cvq_vae", 256, 2, config={**config, "dataset": {"name": "fashion_mnist", "test_items": 3000}})
    cells = [cell for cell in made.plan["cells"] if cell["arm"] == "no_quantization"]
    made.edit_plan(protocol={**protocol, "training": ours}, cells=cells)
    results = read(made.folder)
    old = "schedule constant for cosine, steps 1,000 for 16,000"
    assert results.problems == [
        f"{made.folder}: 5 records were made under another protocol ({old}); they are in no table, and summary.csv "
        "marks them",
        f"{made.folder}: 3 records belong to no cell of plan.json: they are in no table, and summary.csv marks them",
        f"{made.folder}: 1 record was made under another protocol ({old}, dataset.test_items 3,000 for none); it is in "
        "no table; summary.csv marks it",
    ]


def test_two_test_sets_are_never_in_one_table(synthetic: Make):
    results = synthetic(("vq_vae", "simvq"), (256,), 3)
    for arm, seed, tested in (("vq_vae", 0, "a" * 64), ("vq_vae", 1, "b" * 64), ("simvq", 0, "b" * 64)):
        results.edit(arm, 256, seed, provenance={"data": {"test_sha256": tested}})
    found = read(results.folder)
    assert results.key("vq_vae", 256, 0) not in found.records
    assert len(found.records) == 5  # records without a hash stay
    assert len(found.ok) == 5
    assert found.problems == [
        f"{results.folder}: 1 record was tested on other items of `fashion_mnist` (test_sha256 aaaaaaaa) than most "
        "(bbbbbbbb); it is in no table; remove it and run the suite again"
    ]


def test_settings_of_the_training_are_in_the_summary(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=2, artefacts=False)
    config = json.loads(made.record_path("vq_vae", 256, 1).read_text())["config"]
    training = {"steps": 16_000, "schedule": "cosine", "learning_rate": 3e-3}
    made.edit("vq_vae", 256, 1, config={**config, "training": training})
    made.write_history("vq_vae", 256, 1, [1.0, 0.5, 0.25, 0.5])
    made.edit_plan(cells=made.plan["cells"][:1])
    summary = pd.read_csv(io.StringIO(summary_csv(read(made.folder)))).set_index("seed")
    shown = summary[["steps", "schedule", "learning_rate", "planned"]].values.tolist()
    assert shown == [[1000, "constant", 1e-3, 1], [16_000, "cosine", 3e-3, 0]]
    assert summary["above_best_db"][1] == pytest.approx(10 * math.log10(2))
    assert summary["gain_db_per_doubling"].isna().all()  # two points are no slope


@pytest.mark.parametrize("training", [None, 3, {"learning_rate": "fast"}, {"steps": -1}, {"schedule": 3}])
def test_a_record_whose_training_is_rubbish_is_not_counted(synthetic: Make, training: object):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    config = json.loads(made.record_path("vq_vae", 256, 0).read_text())["config"]
    made.edit("vq_vae", 256, 0, config={**config, "training": training})
    results = read(made.folder)
    assert len(results.runs) == 0
    assert "has no valid `config`; it is not counted" in results.problems[0]


def test_a_record_that_says_nothing_of_its_training_is_a_row(synthetic: Make):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False)
    config = json.loads(made.record_path("vq_vae", 256, 0).read_text())["config"]
    made.edit("vq_vae", 256, 0, config={name: value for name, value in config.items() if name != "training"})
    made.edit_plan(cells=[])
    results = read(made.folder)
    assert results.runs["schedule"].tolist() == ["constant"]
    assert "steps none for 1,000" in results.problems[0]


def test_histories_are_read_once(synthetic: Make, monkeypatch: pytest.MonkeyPatch):
    made = synthetic(("vq_vae", "simvq"), sizes=(256,), seeds=2)
    asked: list[object] = []
    read_csv = pd.read_csv
    monkeypatch.setattr(pd, "read_csv", lambda source, **options: asked.append(source) or read_csv(source, **options))
    results = read(made.folder)
    grid = Grid(results)
    for plot in (PLOTS.all()["training"], PLOTS.all()["error_over_training"]):
        assert plot.draw(grid, arm_styles(results.plan["arms"], [])) is not None
    assert len(results.histories) == 4
    assert len(asked) == 1  # all of them have one heading


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


def test_a_file_that_several_plots_ask_for_is_warned_of_once(synthetic: Make, caplog: pytest.LogCaptureFixture):
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1)
    run = made.record_path("vq_vae", 256, 0).parent
    (run / "history.csv").unlink()
    (run / "counts.npz").write_bytes(b"rubbish")
    plots = ["training", "error_over_training", "rank_frequency", {"name": "again", "of": "rank_frequency"}]
    made.edit_plan(tables=["main"], plots=plots)
    for times in (1, 2):  # each report says it anew
        write_reports([made.folder])
        for name in ("history.csv", "counts.npz"):
            assert caplog.text.count(f"{run / name} can't be used") == times
