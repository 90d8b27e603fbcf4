"""Grids over more than the codebook size: a run for every point, what a point sets, and what can go wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.suite.plan_file import write_plan
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
REFERENCE = Path(__file__).parents[3] / "results" / "reference"

TEXT = """\
question: Who survives?
dataset: {name: shifted, dim: 4, test_items: 100}
model: identity
training: {steps: 10, learning_rate: 1e-3}
grid: {codebook_size: [16, 64], dataset.law: [gaussian, uniform], dataset.shift: [0, 2.5]}
seeds: 1
methods:
  - vq_vae
  - {arm: moved, method: vq_vae, params: {init: normal}, at: [{dataset.law: uniform, params: {beta: 1}}]}
"""


def test_a_run_at_every_point(write_suite: Write) -> None:
    plan = plan_suite(write_suite(TEXT))
    assert [(cell.codebook_size, *cell.point.values()) for cell in plan.cells if cell.arm == "moved"] == [
        (size, law, shift) for law in ("gaussian", "uniform") for shift in (0, 2.5) for size in (16, 64)
    ]
    assert len(plan.runs) == 16
    for cell in plan.cells:
        assert cell.run is not None
        data = cell.run.config["dataset"]
        assert {f"dataset.{name}": data[name] for name in ("law", "shift")} == cell.point
        assert data["dim"] == cell.run.dataset_options["dim"] == 4
        assert cell.run.dataset_options["shift"] == cell.point["dataset.shift"]
    assert plan.suite.protocol["dataset"] == {"name": "shifted", "dim": 4, "test_items": 100}
    assert plan.suite.protocol["evaluation"] == {}


def test_an_arm_may_differ_at_some_points(write_suite: Write) -> None:
    plan = plan_suite(write_suite(TEXT))
    params = {
        (cell.arm, cell.point["dataset.law"]): cell.run.config["params"] for cell in plan.cells if cell.run is not None
    }
    assert params["moved", "gaussian"] == {"beta": 0.25, "init": "normal"}
    assert params["moved", "uniform"] == {"beta": 1.0, "init": "normal"}
    assert params["vq_vae", "uniform"] == {"beta": 0.25, "init": "uniform"}
    narrow = plan_suite(write_suite(TEXT), methods=["moved"], overrides={"grid.dataset.law": ["gaussian"]})
    assert {cell.run.config["params"]["beta"] for cell in narrow.cells if cell.run is not None} == {0.25}


def test_an_axis_may_be_of_model_or_training_and_set_by_an_override(
    tiny: dict[str, object], write_suite: Write
) -> None:
    tiny["model"] = {"name": "conv", "width": 8, "residual_blocks": 1, "residual_width": 4}
    tiny["training"] = {"steps": 10}
    tiny["grid"] = {"codebook_size": [8], "model.latent_dim": [4, 8], "training.batch_size": [4]}
    file = write_suite(tiny)
    plan = plan_suite(file, overrides={"grid.training.batch_size": [2, 8]})
    found = {(run.config["model"]["latent_dim"], run.config["training"]["batch_size"]) for run in plan.runs}
    assert found == {(4, 2), (4, 8), (8, 2), (8, 8)}
    assert plan.suite.name == "tiny"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "dataset.law:",
            "dataset.lwa:",
            r"tiny.yaml:5: data set `shifted` has no parameter `lwa` \(did you mean `law`",
        ),
        (
            "dataset.law:",
            "law:",
            r"tiny.yaml:5: an axis of the grid is `codebook_size` or one of `dataset.….*not `law`",
        ),
        ("[gaussian, uniform]", "[]", r"tiny.yaml:5: the axis `dataset.law` must be a list of numbers or words"),
        ("[gaussian, uniform]", "[gaussian, [1]]", r"tiny.yaml:5: the axis `dataset.law` must be a list"),
        ("[0, 2.5]", "[1, 1.0]", r"tiny.yaml:5: dataset.shift 1.0 stands there twice"),
        ("dataset.shift: [0, 2.5]", "training.stepz: [1]", r"tiny.yaml:5: unknown training key `stepz`.*`steps`"),
        ("dim: 4,", "dim: 4, shift: 1,", r"`dataset.shift` is an axis of the grid and .*`--set grid.dataset.shift="),
        ("dataset.law: uniform,", "dataset.lav: uniform,", r"tiny.yaml:9: `at` of arm `moved`: there is no axis `dat"),
        ("dataset.law: uniform,", "dataset.law: cauchy,", r"the axis `dataset.law` has no value 'cauchy'"),
        ("params: {beta: 1}", "params: {beat: 1}", r"tiny.yaml:9: arm `\w+`: `vq_vae` has no parameter `beat`"),
        ("model: identity", "model: identity\nevaluation: {lpips: []}", r":\d+: evaluation: .* no parameter `lpips`"),
    ],
)
def test_a_mistake_is_one_located_sentence(old: str, new: str, message: str, write_suite: Write) -> None:
    assert old in TEXT
    with pytest.raises(UsageError, match=message) as caught:
        plan_suite(write_suite(TEXT.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_an_arm_that_sets_an_axis_is_told(write_suite: Write) -> None:
    text = TEXT.replace("learning_rate: 1e-3", "batch_size: 4").replace("dataset.shift", "training.learning_rate")
    text = text.replace("[0, 2.5]", "[0.1]").replace("- vq_vae", "- {method: vq_vae, training: {learning_rate: 0.1}}")
    with pytest.raises(UsageError, match=r"tiny.yaml:8: arm `vq_vae` sets `learning_rate`, which is an axis"):
        plan_suite(write_suite(text))


def test_the_plan_keeps_finished_cells_of_a_wider_grid(write_suite: Write, tmp_path: Path) -> None:
    file, store = write_suite(TEXT), Store(tmp_path / "results")
    whole = plan_suite(file, methods=["vq_vae"])
    write_plan(whole, store)
    finished = whole.cells[-1]
    record: dict[str, object] = {
        name: {} for name in ("metrics", "details", "timings", "memory", "provenance", "config")
    }
    record |= {"arm": "vq_vae", "suite": "tiny", "status": "ok", "level_sizes": []}
    store.write_record(finished.run.key, record)
    write_plan(plan_suite(file, methods=["vq_vae"], overrides={"grid.dataset.shift": [0]}), store)
    plan = json.loads((store.folder / "plan.json").read_text())
    assert plan["axes"] == {"dataset.law": ["gaussian", "uniform"], "dataset.shift": [0, 2.5]}
    assert [cell["point"] for cell in plan["cells"] if cell["point"]["dataset.shift"]] == [finished.point]


def test_the_plan_drops_cells_of_an_arm_whose_settings_changed(write_suite: Write, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    before = plan_suite(write_suite(TEXT), methods=["vq_vae"], seeds=[0, 1])
    write_plan(before, store)
    for run in before.runs:
        store.write_record(run.key, {**empty_record(run), "status": "ok"})

    def seeds_after(text: str) -> set[int]:
        write_plan(plan_suite(write_suite(text), methods=["vq_vae"], seeds=[0]), store)
        return {cell["seed"] for cell in json.loads((store.folder / "plan.json").read_text())["cells"]}

    assert seeds_after(TEXT) == {0, 1}
    assert seeds_after(TEXT.replace("- vq_vae\n", "- {method: vq_vae, params: {beta: 1.0}}\n")) == {0}


def test_a_plan_knows_the_key_of_a_run_that_is_not_planned(write_suite: Write) -> None:
    file = write_suite(TEXT)
    elsewhere = {"grid.codebook_size": [32], "grid.dataset.shift": [7]}
    wider = plan_suite(file, methods=["moved", "simvq"], seeds=[5], overrides=elsewhere)
    plan = plan_suite(file)
    assert len(wider.runs) == 4
    for cell in wider.cells:
        assert cell.run is not None
        assert plan.key_at(cell.arm, cell.point, 32, 5) == cell.run.key
    assert plan.key_at("vq_vae", {"dataset.law": "gaussian", "dataset.shift": "far"}, 32, 5) is None
    assert plan.key_at("nobody", {}, 32, 5) is None


@pytest.mark.parametrize("grid", ["[1]", "{codebook_size: [8], dataset.shift: 3}"])
def test_an_override_may_replace_a_grid_that_is_none(grid: str, write_suite: Write) -> None:
    text = TEXT.replace(TEXT.splitlines()[4], f"grid: {grid}").replace(
        ", at: [{dataset.law: uniform, params: {beta: 1}}]", ""
    )
    plan = plan_suite(write_suite(text), overrides={"grid": {"codebook_size": [16], "dataset.shift": [1]}})
    assert [cell.point for cell in plan.cells] == [{"dataset.shift": 1}] * 2


@pytest.mark.parametrize(
    "suite",
    ["audio_overfit", "audio_quickstart", "clustering_latents", "plain_clustering", "planted_collapse", "quickstart"],
)
def test_committed_records_are_of_the_suites_as_they_are(suite: str) -> None:
    assert _planned(suite) == _committed(suite)


@pytest.mark.parametrize("suite", ["mean_shift"])
def test_records_of_unfinished_studies_are_too(suite: str) -> None:
    assert _committed(suite)
    assert _committed(suite) <= _planned(suite)


def _planned(suite: str) -> set[str]:
    # On a GPU, where no size is too large for a method.
    return {run.key for run in plan_suite(suite, device="cuda").runs}


def _committed(suite: str) -> set[str]:
    return {record.parent.name for record in (REFERENCE / suite / "runs").glob("*/record.json")}


def test_an_option_younger_than_the_records_is_in_the_key_only_where_it_is_set(
    tiny: dict[str, object], write_suite: Write
) -> None:
    [before, _] = plan_suite(write_suite(tiny)).runs
    assert "unmapped" not in before.config["evaluation"]
    plan = plan_suite(write_suite(tiny), methods=["vq_vae_ema"], overrides={"evaluation.unmapped": True})
    assert plan.runs[0].config["evaluation"]["unmapped"] is True
    assert "init" not in plan.runs[0].config["params"]
    tiny["methods"] = [{"method": "vq_vae_ema", "params": {"init": "normal"}}]
    assert plan_suite(write_suite(tiny)).runs[0].config["params"]["init"] == "normal"


def test_the_length_of_a_run_may_be_an_axis_and_must_be_said(tiny: dict[str, object], write_suite: Write) -> None:
    tiny["training"] = {"schedule": "cosine", "warmup_steps": 2}
    tiny["grid"] = {"codebook_size": [8], "training.steps": [4, 9]}
    plan = plan_suite(write_suite(tiny))
    assert [run.config["training"]["steps"] for run in plan.runs if run.arm == "simvq"] == [4, 9]
    assert "steps" not in plan.suite.protocol["training"]
    assert {run.config["training"]["schedule"] for run in plan.runs} == {"cosine"}
    tiny["grid"] = {"codebook_size": [8]}
    with pytest.raises(UsageError, match="the key `training.steps` is missing"):
        plan_suite(write_suite(tiny))
    tiny["grid"] = {"codebook_size": [8], "training.steps": [1]}
    with pytest.raises(UsageError, match=r"training of arm `vq_vae`: warmup_steps \(2\) must not exceed steps \(1\)"):
        plan_suite(write_suite(tiny))


def test_a_discriminator_is_warm_before_the_run_ends(tiny: dict[str, object], write_suite: Write) -> None:
    judged = {"name": "perceptual_adversarial", "perceptual_weight": 0.0, "start": 2, "warmup_steps": 3}
    plan = plan_suite(write_suite({**tiny, "objective": judged}))
    assert plan.runs
    said = r"objective.warmup_steps \(3 from step 2 on\) must not go beyond the 4 steps of the run"
    with pytest.raises(UsageError, match=said):
        plan_suite(write_suite({**tiny, "objective": judged}), overrides={"training.steps": 4})
    judged["start"] = 0
    with pytest.raises(UsageError, match=r"objective.warmup_steps \(3\) must not go beyond the 2 steps of the run"):
        plan_suite(write_suite({**tiny, "objective": judged}), overrides={"training.steps": 2})
