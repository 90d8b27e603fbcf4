"""How long a suite takes: nothing is timed twice that takes equally long."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.data import Dataset
from benchmark.metrics.base import ReconstructionMetrics
from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.sweep import estimate
from benchmark.sweep.estimate import Cost, Timer, estimate_seconds

SUITE = """\
question: How long?
dataset: {name: shifted, test_items: 100}
model: identity
training: {steps: 10}
grid: {codebook_size: [8], dataset.shift: [0, 1.5], dataset.dim: [2, 4], training.learning_rate: [0.1, 0.2]}
seeds: 2
methods: [vq_vae, simvq]
"""


def test_a_run_that_memory_can_not_hold_is_not_timed(
    write_suite: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 32000000000000 bytes")

    monkeypatch.setattr(estimate, "trainer_of", full)
    plan = plan_suite(write_suite(SUITE))
    seconds, basis = estimate_seconds(plan, plan.runs[:1], None, torch.device("cpu"))
    assert (seconds, basis) == (0, "from finished runs; without 1 that may need more memory than there is")
    monkeypatch.setattr(estimate, "trainer_of", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        estimate_seconds(plan, plan.runs[:1], None, torch.device("cpu"))


def test_one_timing_for_all_shifts_rates_and_seeds(
    write_suite: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = []
    monkeypatch.setattr(Timer, "cost", lambda self, run: timed.append(run) or Cost(0.5, 3.0))
    plan, store = plan_suite(write_suite(SUITE)), Store(tmp_path / "results")
    left = plan.runs
    seconds, basis = estimate_seconds(plan, left, store, torch.device("cpu"))
    assert (len(left), len(timed), basis) == (32, 4, "4 timed for a few steps each")
    assert seconds == pytest.approx(32 * (10 * 0.5 + 3))
    for run in left[:1]:
        record = {**empty_record(run), "status": "ok", "timings": {"total_seconds": 7.0}}
        store.write_record(run.key, record)
    timed.clear()
    seconds, basis = estimate_seconds(plan, left[1:], store, torch.device("cpu"))
    assert len(timed) == 3
    assert seconds == pytest.approx(7 * 7.0 + 24 * (10 * 0.5 + 3))


def test_data_and_metrics_are_timed_once_for_all_that_share_them(
    write_suite: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, measured = [], []
    quality_metrics = estimate.quality_metrics

    def counted(dataset: Dataset, *others: Any) -> ReconstructionMetrics:
        made.append(dataset.item_shape)
        quality = quality_metrics(dataset, *others)
        update = quality.update
        monkeypatch.setattr(quality, "update", lambda *batch: measured.append(len(batch[0])) or update(*batch))
        return quality

    monkeypatch.setattr(estimate, "quality_metrics", counted)
    plan, timer = plan_suite(write_suite(SUITE)), Timer(torch.device("cpu"))
    costs = [timer.cost(run) for run in sorted(plan.runs, key=lambda run: str(run.config["dataset"]))[:24]]
    assert (made, measured) == ([(2,), (4,), (2,)], [100] * 3)
    assert all(cost is not None and cost.step > 0 and cost.fixed > 0 for cost in costs)
