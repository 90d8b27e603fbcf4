"""As many runs at a time as memory and cores bear; one that finds no room beside others is tried alone."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.sweep import launching
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Event, Launcher
from benchmark.sweep.launching import jobs_and_threads
from benchmark.sweep.room import Need, configured, free_on, jobs_that_fit, needs_of
from benchmark.sweep.runner import Settings, run_plan
from benchmark.worker import execution
from benchmark.worker.channel import Ending
from benchmark.worker.execution import CrowdedError, execute
from benchmark.worker.job import Job
from benchmark.worker.memory import memory_free, memory_limit
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
GB = 1e9


@pytest.mark.parametrize(
    ("needs", "cores", "host", "device", "jobs"),
    [
        ([Need(GB)] * 9, 8, 100 * GB, None, 4),  # on a CPU four at most
        ([Need(GB)] * 9, 2, 100 * GB, None, 2),
        ([Need(GB)] * 9, 8, 3.5 * GB, None, 3),
        ([Need(GB)] * 9, 8, 0.5 * GB, None, 1),  # one is always tried
        ([Need(GB)] * 3, 8, 100 * GB, None, 3),
        ([Need(3 * GB), Need(GB), Need(GB), Need(GB)], 8, 4.5 * GB, None, 2),  # whichever are under way
        ([Need(2 * GB, 3 * GB)] * 40, 16, 128 * GB, 80 * GB, 16),
        ([Need(2 * GB, 3 * GB)] * 40, 16, 128 * GB, 10 * GB, 3),
        ([Need(2 * GB, 3 * GB)] * 40, 16, 9 * GB, 80 * GB, 4),
        ([Need(2 * GB, 60 * GB), *[Need(2 * GB, 3 * GB)] * 40], 16, 128 * GB, 80 * GB, 7),
        ([Need(2 * GB, 3 * GB)] * 40, 16, 128 * GB, 0.0, 1),  # a GPU that doesn't say
    ],
)
def test_so_many_fit(needs: list[Need], cores: int, host: float, device: float | None, jobs: int) -> None:
    assert jobs_that_fit(needs, cores, host, device) == jobs


def test_a_guess_grows_with_the_codebook() -> None:
    small, large = ({"model": {"latent_dim": 64}, "codebook_size": size} for size in (256, 262_144))
    assert configured(small, on_gpu=False).host == pytest.approx(1.4e9, rel=0.01)
    assert configured(large, on_gpu=False).host == pytest.approx(1.4e9 + 16 * 4 * 262_144 * 64)
    assert configured({"model": "identity", "codebook_size": None}, on_gpu=True) == Need(2.6e9, 1.2e9)


def test_what_runs_of_the_same_shape_held_counts_for_more(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plan, store = plan_suite(write_suite({**tiny, "seeds": 2})), Store(tmp_path / "results")
    first = plan.runs[0]
    same = [run.arm == first.arm for run in plan.runs]
    for host, device in ((2000.0, None), (3000.0, 1000.0)):
        memory = {"peak_rss_mb": host, "peak_cuda_mb": device}
        store.write_record(first.key, {**empty_record(first), "status": "ok", "memory": memory})
        for on_gpu in (False, True):
            needs = needs_of(plan.runs, store, on_gpu=on_gpu)
            guess = configured(first.config, on_gpu=on_gpu)
            measured = Need(1.2e6 * host, 1.2e6 * device + 0.8e9 if device else 0.0)
            assert needs == [measured if as_first and on_gpu == bool(device) else guess for as_first in same]


def test_runs_at_a_time_on_a_gpu_and_on_a_cpu(
    tiny: dict[str, object], write_suite: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_suite(write_suite({**tiny, "seeds": 10}))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(launching, "available_cores", lambda: 16)
    monkeypatch.setattr(launching, "memory_free", lambda: 128 * GB)
    monkeypatch.setattr(launching, "free_on", lambda device: {"cuda:1": 6.5 * GB}[device])
    assert jobs_and_threads(plan, None, "cuda:1") == (5, 3)
    assert jobs_and_threads(plan, None, "cuda:1", 2) == (2, 8)
    assert jobs_and_threads(plan, None, "cpu") == (4, 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert jobs_and_threads(plan, None, "cpu") == (4, 3)
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(launching, "memory_free", lambda: 3 * GB)
    assert jobs_and_threads(plan, None, "cpu") == (2, 8)
    shared = replace(plan, cells=[])
    assert jobs_and_threads(shared, None, "cuda:1") == (1, 16)


def test_more_processes_of_a_run_than_cores_are_not_started(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "available_cores", lambda: 16)
    options = argparse.Namespace(
        address=None, gpus=None, slurm={}, launcher="local", jobs=1, cpus=None, plugin=[], retry=[]
    )
    many = {**tiny, "training": {"steps": 10, "batch_size": 100_000, "devices": 100_000}}
    with pytest.raises(UsageError, match=r"^training.devices is 100,000, but this machine has 16 cores$"):
        launching.launch(plan_suite(write_suite(many)), Store(tmp_path / "results"), options, "cpu")


def test_free_memory_is_some_and_a_gpu_that_is_not_there_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**24 < memory_free() <= memory_limit()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert free_on("cuda:77") == 0.0


@pytest.mark.parametrize(
    ("error", "device", "beside", "crowded"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), "cuda", 2, True),
        (RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable"), "cuda", 2, True),
        (torch.OutOfMemoryError("CUDA out of memory."), "cuda", 1, False),
        (MemoryError(), "cpu", 2, False),
        (RuntimeError("planted"), "cuda", 2, False),
    ],
)
def test_a_run_is_not_blamed_for_what_others_on_its_gpu_hold(
    error: Exception,
    device: str,
    beside: int,
    crowded: bool,
    tiny: dict[str, object],
    write_suite: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(execution, "_train_and_evaluate", fail)
    monkeypatch.setattr(execution, "provenance", lambda _: {})
    job = Job(plan_suite(write_suite(tiny)).runs[0], str(tmp_path), device, 1, beside=beside)
    if crowded:
        with pytest.raises(CrowdedError):
            execute(job, tmp_path, torch.device(device))
    else:
        assert execute(job, tmp_path, torch.device(device))["status"] in ("out_of_memory", "failed")


class Crowded:
    """A launcher without room for the first run while others run."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self.rounds: list[list[tuple[str, int]]] = []

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        began: list[tuple[str, int]] = []
        self.rounds.append(began)
        for job in jobs:
            began.append((job.run.arm, job.beside))
            if job.beside > 1 and job.run.arm == "vq_vae":
                yield Event("started", job)
                yield Event("ended", job, exit_code=1, ending=Ending.CROWDED)
            else:
                yield from self._launcher.launch([job])

    def stop(self) -> None:
        pass


def test_what_has_no_room_beside_others_is_done_alone_after_them(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path, in_process: Launcher
) -> None:
    plan, store, launcher = plan_suite(write_suite(tiny)), Store(tmp_path / "results"), Crowded(in_process)
    outcome = run_plan(plan, store, launcher, Settings("cpu", 1, beside=2), Display(quiet=True))
    assert launcher.rounds == [[("vq_vae", 2), ("simvq", 2)], [("vq_vae", 1)]]
    assert {record["status"] for record in outcome.ended.values()} == {"ok"}
    assert len(outcome.ended) == 2
