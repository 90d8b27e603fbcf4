"""Runs of the suite `planted_collapse`, shortened, in this process: remedies keep their promises, no method breaks."""

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from benchmark.data import Dataset, datasets
from benchmark.records.run import Run
from benchmark.suite.plan import plan_suite
from benchmark.training.evaluation import evaluate, quality_metrics
from benchmark.training.trainer import Trainer
from methods import available, get

CPU = torch.device("cpu")
KINDS = ("clustered", "drifting", "identical")
OWN = [name for name in available() if get(name).__module__ == f"methods.{name}"]


@cache
def dataset(kind: str, test_items: int) -> Dataset:
    return datasets.create("planted", {"kind": kind, "drift_steps": 100, "test_items": test_items})


def metrics_of(run: Run, kind: str, folder: Path, test_items: int = 4096) -> dict[str, float | None]:
    data = dataset(kind, test_items)
    trainer = Trainer(run.config, data, CPU)
    trainer.fit(folder / f"{kind}.pt", lambda step, row: None)
    assert all(math.isfinite(value) for row in trainer.progress.history for value in row.values())
    assert all(bool(value.isfinite().all()) for value in trainer.system.state_dict().values())
    quality = quality_metrics(data, {}, CPU)
    return evaluate(trainer.trained, trainer.objective, data, quality, CPU, folder)["metrics"]


@cache
def runs() -> dict[tuple[str, str], Run]:
    """The suite's own runs by arm and kind."""
    cells = plan_suite("planted_collapse").cells
    return {(cell.arm, cell.point["dataset.kind"]): cell.run for cell in cells if cell.run is not None}


def shorter(name: str, kind: str, **training: int) -> Run:
    """The suite's run of an arm at a kind, with other training settings."""
    run = runs()[name, kind]
    return replace(run, config={**run.config, "training": {**run.config["training"], **training}})


def test_the_suite_has_every_method_at_every_kind() -> None:
    assert set(runs()) == {(name, kind) for name in OWN for kind in KINDS}


@pytest.mark.parametrize("name", OWN)
def test_no_method_breaks(name: str, tmp_path: Path) -> None:
    for kind in KINDS:
        metrics = metrics_of(shorter(name, kind, steps=4, batch_size=64), kind, tmp_path, test_items=256)
        assert metrics["squared_error"] is not None
        assert all(value is None or math.isfinite(value) for value in metrics.values()), kind


@pytest.mark.parametrize(
    ("name", "kind", "steps", "at_least", "at_most"),
    [
        # Nothing but unused codewords that move can split a tight cluster.
        ("vq_vae", "clustered", 120, 0.0, 3 / 64),
        ("codebook_reset", "clustered", 120, 0.75, 1.0),
        ("cvq_vae", "clustered", 120, 0.75, 1.0),
        ("kmeans", "clustered", 120, 0.9, 1.0),
        # A law that wanders off leaves those behind that only follow their own latents.
        ("vq_vae", "drifting", 200, 0.0, 2 / 64),
        ("vq_vae_ema", "drifting", 200, 0.0, 2 / 64),
        ("codebook_reset", "drifting", 400, 0.5, 1.0),
        ("optvq", "drifting", 200, 0.9, 1.0),
        # One linear map moves every codeword, but cannot turn a cloud of them into three points.
        ("simvq", "drifting", 400, 8 / 64, 1.0),
        ("simvq", "clustered", 120, 0.0, 3 / 64),
        # A single point needs a single codeword.
        ("codebook_reset", "identical", 120, 1 / 64, 1 / 64),
        ("simvq", "identical", 120, 1 / 64, 1 / 64),
    ],
)
def test_remedies_keep_their_promise(
    name: str, kind: str, steps: int, at_least: float, at_most: float, tmp_path: Path
) -> None:
    """Usage after so many of the suite's 400 steps, where it is already what it is at the end."""
    usage = metrics_of(shorter(name, kind, steps=steps), kind, tmp_path)["usage"]
    assert usage is not None
    assert at_least <= usage <= at_most
