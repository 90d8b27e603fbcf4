"""How long a suite takes: nothing is timed twice that takes equally long."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.sweep import estimate
from benchmark.sweep.estimate import Cost, estimate_seconds

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
    monkeypatch.setattr(estimate, "_cost", lambda run, *_: timed.append(run) or Cost(0.5, 3.0))
    plan, store = plan_suite(write_suite(SUITE)), Store(tmp_path / "results")
    left = plan.runs
    seconds, basis = estimate_seconds(plan, left, store, torch.device("cpu"))
    assert (len(left), len(timed), basis) == (32, 4, "4 timed for 3 steps each")
    assert seconds == pytest.approx(32 * (10 * 0.5 + 3))
    for run in left[:1]:
        record = {**empty_record(run), "status": "ok", "timings": {"total_seconds": 7.0}}
        store.write_record(run.key, record)
    timed.clear()
    seconds, basis = estimate_seconds(plan, left[1:], store, torch.device("cpu"))
    assert len(timed) == 3
    assert seconds == pytest.approx(7 * 7.0 + 24 * (10 * 0.5 + 3))
