"""A run on two processes of its own: one record, written by one; whichever fails first says why."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.worker.__main__ import work
from benchmark.worker.job import Job
from methods import load_plugin

Write = Callable[[dict[str, object] | str], str]

PLUGIN = """
import os
import torch.distributed as dist
from methods import register
from methods.vq_vae import VQVAE

@register("second_raises")
class SecondRaises(VQVAE):
    def forward(self, latents):
        if dist.get_rank() == 1:
            raise MemoryError("planted")
        return super().forward(latents)

@register("second_exits")
class SecondExits(VQVAE):
    def forward(self, latents):
        if dist.get_rank() == 1:
            os._exit(7)
        return super().forward(latents)
"""


def test_a_run_on_two_processes_is_one_record(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> None:
    del tiny["evaluation"]  # of vectors: a process that measures no images imports a third less
    data = {"name": "planted", "kind": "clustered", "test_items": 65}
    training = {"steps": 10, "batch_size": 7, "devices": 2, "learning_rate": 1e-3}
    tiny |= {"dataset": data, "model": "identity", "training": training, "methods": ["vq_vae_ema"]}
    (run,) = plan_suite(write_suite(tiny)).runs
    store = Store(tmp_path / "results")
    work(Job(run, str(store.folder), "cpu", 2))
    record = store.record(run.key)
    assert record is not None
    assert record["status"] == "ok", record["traceback"]
    assert record["provenance"]["processes"] == 2
    assert record["provenance"]["threads"] == 1
    assert record["metrics"]["tokens"] == 65
    assert set(record["files"]) == {"history.csv", "counts.npz", "snapshots.npz"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [
        ("second_raises", "out_of_memory", "planted (process 1 of 2)"),
        ("second_exits", "failed", "the process ended with exit code 7 and left no record (process 1 of 2)"),
    ],
)
def test_the_process_that_fails_first_is_the_reason(
    method: str, status: str, reason: str, tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN)
    load_plugin(plugin)
    tiny["training"] = {"steps": 10, "batch_size": 8, "devices": 2}
    (run,) = plan_suite(write_suite({**tiny, "methods": [method]})).runs
    store = Store(tmp_path / "results")
    work(Job(run, str(store.folder), "cpu", 2, plugins=(str(plugin),)))
    record = store.record(run.key)
    assert record is not None
    assert (record["status"], record["reason"]) == (status, reason)
