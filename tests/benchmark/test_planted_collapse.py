"""The suite `planted_collapse`, run in this process: remedies keep their promises, no method breaks."""

import math
from functools import cache
from pathlib import Path

import pytest
import torch

from benchmark.data import Dataset, datasets
from benchmark.evaluation import evaluate, quality_metrics
from benchmark.run import Run
from benchmark.suite import plan_suite
from benchmark.training import Trainer
from methods import available, get

CPU = torch.device("cpu")
KINDS = ("clustered", "drifting", "identical")
OWN = [name for name in available() if get(name).__module__.startswith("methods.")]


@cache
def dataset(kind: str) -> Dataset:
    return datasets.create("planted", {"kind": kind, "drift_steps": 100})


def metrics_of(run: Run, kind: str, folder: Path) -> dict[str, float | None]:
    trainer = Trainer(run.config, dataset(kind), CPU)
    trainer.fit(folder / "checkpoint.pt", lambda step, row: None)
    assert all(math.isfinite(value) for row in trainer.progress.history for value in row.values())
    assert all(bool(value.isfinite().all()) for value in trainer.system.state_dict().values())
    quality = quality_metrics(dataset(kind), {}, CPU)
    return evaluate(trainer.trained, trainer.objective, dataset(kind), quality, CPU, folder)["metrics"]


def run_of(arm: str, kind: str, **training: object) -> Run:
    overrides = {f"training.{name}": value for name, value in training.items()}
    plan = plan_suite("planted_collapse", methods=[arm], overrides=overrides)
    [run] = [cell.run for cell in plan.cells if cell.point == {"dataset.kind": kind}]
    assert run is not None
    return run


def test_the_suite_has_every_method_at_every_kind() -> None:
    plan = plan_suite("planted_collapse")
    assert {(cell.arm, *cell.point.values()) for cell in plan.cells if cell.run} == {(a, k) for a in OWN for k in KINDS}


@pytest.mark.parametrize("name", OWN)
def test_no_method_breaks(name: str, tmp_path: Path) -> None:
    plan = plan_suite(
        "planted_collapse",
        methods=[name],
        overrides={"training.steps": 25, "training.batch_size": 64},
    )
    for cell in plan.cells:
        assert cell.run is not None
        metrics = metrics_of(cell.run, cell.point["dataset.kind"], tmp_path)
        assert metrics["squared_error"] is not None
        assert all(value is None or math.isfinite(value) for value in metrics.values()), cell.point
        (tmp_path / "checkpoint.pt").unlink(missing_ok=True)
