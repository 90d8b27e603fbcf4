"""Suites run end to end in processes of their own; nothing that goes wrong with one run touches the others."""

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.display import Display
from benchmark.launchers import Event, LocalLauncher
from benchmark.runner import Outcome, Settings, run_plan
from benchmark.store import Store
from benchmark.suite import Plan, plan_suite

Write = Callable[[dict[str, object] | str], str]

PLUGIN = """
import os
from methods import register
from methods.vq_vae import VQVAE

@register("dies")
class Dies(VQVAE):
    def forward(self, latents):
        os._exit(3)

@register("raises")
class Raises(VQVAE):
    def forward(self, latents):
        raise RuntimeError("planted")

@register("diverges")
class Diverges(VQVAE):
    def forward(self, latents):
        quantized = super().forward(latents)
        self.steps = getattr(self, "steps", 0) + self.training
        return quantized._replace(loss=quantized.loss / (self.steps < 4))
"""


def _run(plan: Plan, store: Store, jobs: int = 2, **settings: object) -> Outcome:
    return run_plan(plan, store, LocalLauncher(jobs), Settings("cpu", threads=1, **settings), Display(quiet=True))  # type: ignore[arg-type]


def _metrics(store: Store, plan: Plan) -> dict[str, dict[str, float]]:
    records = {run.key: store.record(run.key) for run in plan.runs}
    return {key: record["metrics"] for key, record in records.items() if record is not None}


def test_a_suite_runs_once_and_leaves_whole_records(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plan = plan_suite(write_suite({**tiny, "methods": ["vq_vae", "no_quantization"]}))
    store = Store(tmp_path / "results")
    outcome = _run(plan, store)
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
    assert [int(row["step"]) for row in rows] == list(range(1, 11))
    assert not (folder / "checkpoint.pt").exists()
    assert (folder / "samples.png").exists()
    none = next(outcome.ended[key] for key in outcome.ended if key.startswith("no_quantization"))
    assert none["metrics"]["usage"] is None
    again = _run(plan, store)
    assert sorted(again.skipped) == sorted(outcome.ended)


def test_a_crash_an_exception_and_a_divergence_are_records(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    from methods import load_plugin

    load_plugin(plugin)
    plan = plan_suite(write_suite({**tiny, "methods": ["dies", "raises", "diverges", "vq_vae"]}))
    store = Store(tmp_path / "results")
    outcome = _run(plan, store, plugins=(str(plugin),))
    by_method = {record["config"]["method"]: record for record in outcome.ended.values()}
    assert by_method["dies"]["status"] == "failed"
    assert "exit code 3" in by_method["dies"]["reason"]
    assert by_method["raises"]["reason"] == "RuntimeError: planted"
    assert "planted" in by_method["raises"]["traceback"]
    assert by_method["diverges"]["status"] == "diverged"
    assert by_method["diverges"]["reason"] == "the loss was not finite at step 4"
    assert by_method["vq_vae"]["status"] == "ok"
    assert len(outcome.failed) == 3
    assert sorted(_run(plan, store, plugins=(str(plugin),)).skipped) == sorted(outcome.ended)
    retried = _run(plan, store, plugins=(str(plugin),), retry=("failed",))
    assert len(retried.skipped) == 2


def test_a_corrupted_record_is_done_again_with_the_same_metrics(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plan = plan_suite(write_suite(tiny))
    store = Store(tmp_path / "results")
    _run(plan, store)
    before = _metrics(store, plan)
    key = plan.runs[0].key
    path = store.record_path(key)
    path.write_bytes(path.read_bytes()[:100])
    outcome = _run(plan, store)
    assert outcome.skipped == [plan.runs[1].key]
    assert _metrics(store, plan) == before


def test_other_arms_change_nothing(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> None:
    both = plan_suite(write_suite(tiny))
    alone = plan_suite(write_suite(tiny), methods=["simvq"])
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    _run(both, one)
    _run(alone, two)
    key = alone.runs[0].key
    assert _metrics(one, both)[key] == _metrics(two, alone)[key]


class Disturbing(Display):
    """Disturbs the first run that reports a step of at least 300."""

    def __init__(self, disturb: Callable[[], None]) -> None:
        super().__init__(quiet=True)
        self._disturb: Callable[[], None] | None = disturb

    def show(self, event: Event) -> None:
        super().show(event)
        if event.step >= 300 and self._disturb is not None:
            disturb, self._disturb = self._disturb, None
            disturb()


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def long_plan(tiny: dict[str, object], write_suite: Write) -> Plan:
    tiny["training"] = {"steps": 1200, "batch_size": 8, "learning_rate": 1e-3, "ema_decay": 0.99}
    return plan_suite(write_suite({**tiny, "methods": ["vq_vae_ema"]}))


def test_an_interrupted_suite_goes_on_and_ends_with_the_same_metrics(long_plan: Plan, tmp_path: Path) -> None:
    undisturbed, store = Store(tmp_path / "undisturbed"), Store(tmp_path / "disturbed")
    _run(long_plan, undisturbed)
    settings, key = Settings("cpu", threads=1), long_plan.runs[0].key
    outcome = run_plan(long_plan, store, LocalLauncher(1), settings, Disturbing(_interrupt))
    assert outcome.interrupted
    assert store.record(key) is None
    assert (store.run_folder(key) / "checkpoint.pt").exists()
    _run(long_plan, store)
    assert _metrics(store, long_plan) == _metrics(undisturbed, long_plan)
    assert not (store.run_folder(key) / "checkpoint.pt").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ended_from_outside_is_no_record_and_the_next_call_goes_on(
    number: signal.Signals, long_plan: Plan, tmp_path: Path
) -> None:
    store, launcher = Store(tmp_path / "results"), LocalLauncher(1)

    def end() -> None:
        (process,) = launcher._running.values()
        os.kill(process.pid, number)

    outcome = run_plan(long_plan, store, launcher, Settings("cpu", threads=1), Disturbing(end))
    key = long_plan.runs[0].key
    assert not outcome.ended
    assert (
        outcome.lost[key]
        == {
            signal.SIGKILL: "ended by SIGKILL from outside",
            signal.SIGTERM: "stopped from outside",
        }[number]
    )
    assert (store.run_folder(key) / "checkpoint.pt").exists() == (number == signal.SIGTERM)
    assert _run(long_plan, store).ended[key]["status"] == "ok"


def test_one_codeword_and_batches_of_one(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> None:
    tiny["training"] = {"steps": 3, "batch_size": 1}
    plan = plan_suite(write_suite({**tiny, "grid": {"codebook_size": [1]}, "methods": ["simvq"]}))
    store = Store(tmp_path / "results")
    assert not _run(plan, store).failed
    metrics = _metrics(store, plan)[plan.runs[0].key]
    assert (metrics["usage"], metrics["perplexity"], metrics["entropy_bits"]) == (1.0, 1.0, 0.0)


def test_only_good_runs_keep_their_checkpoints(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> None:
    tiny["training"] = {"steps": 5, "batch_size": 8, "learning_rate": 1e-3}
    arms = ["vq_vae", {"arm": "lost", "method": "vq_vae", "training": {"learning_rate": 1e30}}]
    plan, store = plan_suite(write_suite({**tiny, "methods": arms})), Store(tmp_path / "results")
    run_plan(plan, store, LocalLauncher(1), Settings("cpu", threads=1, keep_checkpoints=True), Display())
    kept = {run.arm: (store.run_folder(run.key) / "checkpoint.pt").exists() for run in plan.runs}
    statuses = {run.arm: record["status"] for run in plan.runs if (record := store.record(run.key))}
    assert statuses == {"vq_vae": "ok", "lost": "diverged"}
    assert kept == {"vq_vae": True, "lost": False}


def test_weights_are_kept_where_they_are_wanted_and_codes_of_the_training_set_counted(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    tiny["training"] = {"steps": 3, "batch_size": 8, "ema_decay": 0.9}
    tiny["methods"] = ["vq_vae"]
    tiny["evaluation"] = {"features": None, "lpips": [], "training_codes": True}
    store = Store(tmp_path / "results")
    plan = plan_suite(write_suite(tiny))
    [key] = [run.key for run in plan.runs]
    record = _run(plan, store).ended[key]
    counts = np.load(store.run_folder(key) / "counts_train.npz")["level_1"]
    assert record["metrics"]["tokens_train"] == counts.sum() > record["metrics"]["tokens"]
    assert record["metrics"]["usage_train"] == (counts > 0).mean()
    assert not (store.run_folder(key) / "weights.pt").exists()
    keeping = plan_suite(write_suite(tiny), overrides={"training.keep": "weights"})
    assert [run.key for run in keeping.runs] == [key]
    assert not _run(keeping, store).skipped  # it is finished, but its weights are gone
    assert _run(keeping, store).skipped == _run(plan, store).skipped == [key]
    weights = torch.load(store.run_folder(key) / "weights.pt", weights_only=True)
    assert weights["quantizer.codebook"].shape == (8, 4)
    again = store.record(key)
    assert again is not None
    assert (again["metrics"], set(again["files"])) == (record["metrics"], {*record["files"], "weights.pt"})
