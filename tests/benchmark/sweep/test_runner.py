"""Suites run end to end; nothing that goes wrong with one run touches the others. Processes: test_launchers.py."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import torch

from benchmark.records.store import Store
from benchmark.suite.plan import Plan, plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Launcher
from benchmark.sweep.runner import Outcome, Settings, run_plan
from methods import UsageError, load_plugin

pytestmark = pytest.mark.usefixtures("own_registries")
Write = Callable[[dict[str, object] | str], str]

PLUGIN = """
from methods import register
from methods.vq_vae import VQVAE

@register("raises")
class Raises(VQVAE):
    def forward(self, latents):
        raise RuntimeError("planted")

@register("full_elsewhere")
class FullElsewhere(VQVAE):
    def forward(self, latents):
        raise OSError(28, "No space left on device", "/elsewhere/\\ud800")

@register("interrupts")
class Interrupts(VQVAE):
    def forward(self, latents):
        raise KeyboardInterrupt("by itself")

@register("leaves")
class Leaves(VQVAE):
    def forward(self, latents):
        raise SystemExit(130)

@register("needs_memory")
class NeedsMemory(VQVAE):
    def forward(self, latents):
        return latents.new_empty(2**50)

@register("diverges")
class Diverges(VQVAE):
    def forward(self, latents):
        quantized = super().forward(latents)
        self.steps = getattr(self, "steps", 0) + self.training
        return quantized._replace(loss=quantized.loss / (self.steps < 4))
"""


class Run(Protocol):
    """Runs a plan in this process; keywords are `Settings`."""

    def __call__(self, plan: Plan, store: Store, **settings: Any) -> Outcome: ...


@pytest.fixture
def run(in_process: Launcher) -> Run:
    def run(plan: Plan, store: Store, **settings: Any) -> Outcome:
        return run_plan(plan, store, in_process, Settings("cpu", threads=1, **settings), Display(quiet=True))

    return run


def _metrics(store: Store, plan: Plan) -> dict[str, dict[str, float]]:
    records = {run.key: store.record(run.key) for run in plan.runs}
    return {key: record["metrics"] for key, record in records.items() if record is not None}


def test_a_suite_runs_once_and_leaves_whole_records(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run
) -> None:
    plan = plan_suite(write_suite({**tiny, "methods": ["vq_vae", "no_quantization"]}))
    store = Store(tmp_path / "results")
    outcome = run(plan, store)
    assert not outcome.failed
    vq = next(key for key in outcome.ended if key.startswith("vq_vae"))
    record = outcome.ended[vq]
    assert record["status"] == "ok"
    assert record["config"]["codebook_size"] == 8
    assert record["provenance"]["threads"] == 1
    assert 0 < record["metrics"]["usage"] <= 1
    assert record["timings"]["train_seconds"] > 0
    assert 0 < record["timings"]["quantizer_share"] < 1
    folder = store.run_folder(vq)
    counts = np.load(folder / "counts.npz")["level_1"]
    assert (counts > 0).mean() == record["metrics"]["usage"]
    assert counts.sum() == record["metrics"]["tokens"]
    rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(1, 6))
    assert not (folder / "checkpoint.pt").exists()
    assert (folder / "samples.png").exists()
    none = next(outcome.ended[key] for key in outcome.ended if key.startswith("no_quantization"))
    assert none["metrics"]["usage"] is None
    again = run(plan, store)
    assert sorted(again.skipped) == sorted(outcome.ended)
    store.write_record(vq, {**record, "config": {**record["config"], "seed": 7}})
    with pytest.raises(UsageError, match=f"{vq}/record.json is the record of another configuration under the key of"):
        run(plan, store)


def test_an_exception_and_a_divergence_are_records(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    load_plugin(plugin)
    bad = ["raises", "full_elsewhere", "interrupts", "leaves", "needs_memory", "diverges"]
    plan = plan_suite(write_suite({**tiny, "methods": [*bad, "vq_vae"]}))
    store = Store(tmp_path / "results")
    outcome = run(plan, store, plugins=(str(plugin),))
    by_method = {record["config"]["method"]: record for record in outcome.ended.values()}
    assert by_method["raises"]["status"] == "failed"
    assert by_method["raises"]["reason"] == "RuntimeError: planted"
    assert "planted" in by_method["raises"]["traceback"]
    full = by_method["full_elsewhere"]
    assert full["reason"] == r"OSError: [Errno 28] No space left on device: '/elsewhere/\ud800'"
    assert full["traceback"].encode("utf-8")
    assert by_method["interrupts"]["reason"] == "KeyboardInterrupt: by itself"
    assert by_method["leaves"]["reason"] == "SystemExit: 130"
    assert by_method["needs_memory"]["status"] == "out_of_memory"
    assert by_method["diverges"]["status"] == "diverged"
    assert by_method["diverges"]["reason"] == "the loss was not finite at step 4"
    assert by_method["vq_vae"]["status"] == "ok"
    assert len(outcome.failed) == 6
    assert sorted(run(plan, store, plugins=(str(plugin),)).skipped) == sorted(outcome.ended)
    retried = run(plan, store, plugins=(str(plugin),), retry=("failed",))
    assert len(retried.skipped) == 3


def test_a_corrupted_record_is_done_again_with_the_same_metrics(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run
) -> None:
    plan = plan_suite(write_suite(tiny))
    store = Store(tmp_path / "results")
    run(plan, store)
    before = _metrics(store, plan)
    key = plan.runs[0].key
    path = store.record_path(key)
    path.write_bytes(path.read_bytes()[:100])
    outcome = run(plan, store)
    assert outcome.skipped == [plan.runs[1].key]
    assert _metrics(store, plan) == before


def test_other_arms_change_nothing(tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run) -> None:
    both = plan_suite(write_suite(tiny))
    alone = plan_suite(write_suite(tiny), methods=["simvq"])
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    run(both, one)
    run(alone, two)
    key = alone.runs[0].key
    assert _metrics(one, both)[key] == _metrics(two, alone)[key]


def test_one_codeword_and_batches_of_one(tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run) -> None:
    tiny["training"] = {"steps": 3, "batch_size": 1}
    plan = plan_suite(write_suite({**tiny, "grid": {"codebook_size": [1]}, "methods": ["simvq"]}))
    store = Store(tmp_path / "results")
    assert not run(plan, store).failed
    metrics = _metrics(store, plan)[plan.runs[0].key]
    assert (metrics["usage"], metrics["perplexity"], metrics["entropy_bits"]) == (1.0, 1.0, 0.0)


def test_only_good_runs_keep_their_checkpoints(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run
) -> None:
    tiny["training"] = {"steps": 5, "batch_size": 8, "learning_rate": 1e-3}
    arms = ["vq_vae", {"arm": "lost", "method": "vq_vae", "training": {"learning_rate": 1e30}}]
    plan, store = plan_suite(write_suite({**tiny, "methods": arms})), Store(tmp_path / "results")
    run(plan, store, keep_checkpoints=True)
    kept = {one.arm: (store.run_folder(one.key) / "checkpoint.pt").exists() for one in plan.runs}
    statuses = {one.arm: record["status"] for one in plan.runs if (record := store.record(one.key))}
    assert statuses == {"vq_vae": "ok", "lost": "diverged"}
    assert kept == {"vq_vae": True, "lost": False}


def test_weights_are_kept_where_they_are_wanted_and_codes_of_the_training_set_counted(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, run: Run
) -> None:
    tiny["training"] = {"steps": 3, "batch_size": 8, "ema_decay": 0.9}
    tiny["methods"] = ["vq_vae"]
    tiny["evaluation"] = {"features": None, "lpips": [], "training_codes": True}
    store = Store(tmp_path / "results")
    plan = plan_suite(write_suite(tiny))
    [key] = [run.key for run in plan.runs]
    record = run(plan, store).ended[key]
    counts = np.load(store.run_folder(key) / "counts_train.npz")["level_1"]
    assert record["metrics"]["tokens_train"] == counts.sum() > record["metrics"]["tokens"]
    assert record["metrics"]["usage_train"] == (counts > 0).mean()
    assert not (store.run_folder(key) / "weights.pt").exists()
    keeping = plan_suite(write_suite(tiny), overrides={"training.keep": "weights"})
    assert [run.key for run in keeping.runs] == [key]
    assert not run(keeping, store).skipped  # it is finished, but its weights are gone
    assert run(keeping, store).skipped == run(plan, store).skipped == [key]
    weights = torch.load(store.run_folder(key) / "weights.pt", weights_only=True)
    assert weights["quantizer.codebook"].shape == (8, 4)
    again = store.record(key)
    assert again is not None
    assert (again["metrics"], set(again["files"])) == (record["metrics"], {*record["files"], "weights.pt"})
