"""Full disks, damaged files, dead processes, runs that hang or outgrow memory: what each leaves, and what follows."""

import errno
import faulthandler
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.records.files import UnwritableError, write_atomic, writing
from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.plan import Plan, plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Event
from benchmark.sweep.runner import Outcome, Settings, run_plan
from benchmark.training import loop as training
from benchmark.training.checkpoint import save_checkpoint
from benchmark.worker.__main__ import work
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job
from benchmark.worker.verdict import is_out_of_memory, is_unwritable, verdict
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
End = str | int | Ending
"""A record's status, an exit code without a record, or what a worker says."""


class Pretending:
    """A launcher whose workers do what ``ends`` says of each job: a record's status, or an end without one."""

    def __init__(self, store: Store, ends: Callable[[Job], End]) -> None:
        self.launched: list[str] = []
        self._store = store
        self._ends = ends

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        for job in jobs:
            self.launched.append(job.run.key)
            yield Event("started", job)
            end = self._ends(job)
            if isinstance(end, Ending):
                yield Event("ended", job, exit_code=1, ending=end, message="the disk is full")
                continue
            if isinstance(end, str):
                self._store.write_record(job.run.key, {**empty_record(job.run), "status": end})
            yield Event("ended", job, exit_code=0 if isinstance(end, str) else end)

    def stop(self) -> None:
        pass


@pytest.fixture
def plan(tiny: dict[str, object], write_suite: Write) -> Plan:
    return plan_suite(write_suite({**tiny, "seeds": 2}))


def _run(plan: Plan, store: Store, ends: Callable[[Job], End], **settings: Any) -> tuple[Outcome, list[str]]:
    launcher = Pretending(store, ends)
    return run_plan(plan, store, launcher, Settings("cpu", 1, **settings), Display(quiet=True)), launcher.launched


@pytest.mark.parametrize(
    ("code", "message", "out_of_memory", "found"),
    [
        (-signal.SIGSEGV, "", False, ("failed", "the process was ended by SIGSEGV")),
        (-signal.SIGABRT, "", False, ("failed", "the process was ended by SIGABRT")),
        (3, "", False, ("failed", "the process ended with exit code 3 and left no record")),
        (0, "", False, ("failed", "the process ended with exit code 0 and left no record")),
        (-signal.SIGKILL, "", True, ("out_of_memory", "the system ran out of memory and ended the process")),
        (1, "Timeout (0:03:00)!\nThread", False, ("timeout", "the process hung beyond its time limit and was ended")),
        (-signal.SIGKILL, "", False, None),
        (-signal.SIGTERM, "", False, None),
        (74, "", False, ("failed", "the process ended with exit code 74 and left no record")),
        (75, "", False, ("failed", "the process ended with exit code 75 and left no record")),
        (130, "", False, ("failed", "the process ended with exit code 130 and left no record")),
    ],
)
def test_what_a_death_says_of_the_run(
    code: int, message: str, out_of_memory: bool, found: tuple[str, str] | None
) -> None:
    assert verdict(code, message, out_of_memory) == found


def test_memory_that_ran_out_is_known_in_all_its_forms() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_only_results_that_can_not_be_written_are_not_the_runs_fault(tmp_path: Path) -> None:
    assert is_unwritable(UnwritableError("full", tmp_path / "runs" / "record.json"), tmp_path)
    assert not is_unwritable(UnwritableError("full", Path("/elsewhere/cache")), tmp_path)
    assert not is_unwritable(OSError(errno.ENOSPC, "No space left on device"), tmp_path)


def test_a_full_disk_ends_the_sweep_with_one_sentence_and_the_next_call_goes_on(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    launched: list[str] = []

    def full_at_second(job: Job) -> str | Ending:
        launched.append(job.run.key)
        return "ok" if len(launched) < 2 else Ending.UNWRITABLE

    with pytest.raises(UsageError, match="the disk is full; nothing whole is lost"):
        _run(plan, store, full_at_second)
    assert len(launched) == 2
    outcome, again = _run(plan, store, lambda job: "ok")
    assert again == [run.key for run in plan.runs[1:]]
    assert len(outcome.ended) == len(plan.runs)


def test_a_worker_on_a_full_disk_says_so_and_goes_on_when_there_is_room(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "results")
    job = Job(plan.runs[0], str(store.folder), "cpu", 1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UnwritableError, match="No space left"):
            work(job)
    assert store.record(job.run.key) is None
    assert not list(store.run_folder(job.run.key).glob(".*.*"))
    work(job)
    record = store.record(job.run.key)
    assert record is not None
    assert record["status"] == "ok"
    assert set(record["files"]) == {"history.csv", "counts.npz", "samples.png"}


def test_a_checkpoint_that_can_not_be_written_does_not_end_the_training(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)

    def full(path: Path, content: object) -> None:
        with writing(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("benchmark.training.checkpoint.write_output", full)
    store = Store(tmp_path / "results")
    work(Job(plan.runs[0], str(store.folder), "cpu", 1))
    assert store.record(plan.runs[0].key) is not None
    assert "No space left on device; the training goes on without it" in caplog.text


@pytest.mark.parametrize("name", ["history.csv", "counts.npz", "samples.png"])
@pytest.mark.parametrize("damage", ["cut", "rubbish", "gone"])
def test_a_damaged_file_of_a_finished_run_has_exactly_that_run_done_again(
    name: str, damage: str, plan: Plan, tmp_path: Path
) -> None:
    store = Store(tmp_path / "results")

    def finish(job: Job) -> str:
        folder = store.run_folder(job.run.key)
        for output in ("history.csv", "counts.npz", "samples.png"):
            (folder / output).write_bytes(f"{output} of {job.run.key}".encode())
        return "ok"

    _run(plan, store, finish)
    path = store.run_folder(plan.runs[1].key) / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"\x00rubbish" if damage == "rubbish" else path.read_bytes()[:-3])
    notes: list[str] = []
    display = Display(quiet=True)
    display.note = notes.append  # type: ignore[method-assign]
    launcher = Pretending(store, finish)
    outcome = run_plan(plan, store, launcher, Settings("cpu", 1), display)
    assert launcher.launched == [plan.runs[1].key]
    assert len(outcome.ended) == len(plan.runs)
    assert len([note for note in notes if str(path) in note and "done again" in note]) == 1


def test_two_people_who_retry_do_a_run_once(plan: Plan, tmp_path: Path) -> None:
    store, key = Store(tmp_path / "results"), plan.runs[0].key
    _run(plan, store, lambda job: "failed" if job.run.key == key else "ok")
    begun: list[Job] = []

    def retry_elsewhere_first(job: Job) -> str | int:
        begun.append(job)
        store.write_record(key, {**empty_record(job.run), "status": "failed", "reason": "again, by the other"})
        work(job)  # finds the other's record, which is not the one to replace
        return 0

    outcome, launched = _run(plan, store, retry_elsewhere_first, retry=("failed",))
    assert launched == [key]
    assert outcome.ended[key]["reason"] == "again, by the other"


def test_a_retried_run_that_dies_is_not_its_old_record(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    _run(plan, store, lambda job: "timeout")
    outcome, _ = _run(plan, store, lambda job: 3, retry=("timeout",))
    assert {record["status"] for record in outcome.ended.values()} == {"failed"}


def _die_while_writing(path: Path, at: str) -> None:
    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(os, at, die)
    write_atomic(path, "new" * 1000)


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_kill_in_the_middle_of_a_write_leaves_the_old_file_whole(at: str, tmp_path: Path) -> None:
    store, key = Store(tmp_path), "vq_vae-K8-s0-0123abcd"
    path = store.run_folder(key) / "record.json"
    path.write_text("old")
    child = multiprocessing.get_context("fork").Process(target=_die_while_writing, args=(path, at))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(path.parent.iterdir())) == 2
    store.tidy(key)
    assert list(path.parent.iterdir()) == [path]


def test_looking_at_a_folder_writes_nothing(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "results", read_only=True)
    assert store.survey([run.key for run in plan.runs]) == ({}, [])
    assert not store.is_claimed(plan.runs[0].key)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("key", ["../../x", "vq_vae-K8-s0-0123abcd/../..", "", "vq_vae-K8-s0-0123abcd\n", "/etc"])
def test_no_key_leads_out_of_the_results_folder(key: str, tmp_path: Path) -> None:
    for look in (Store(tmp_path).record, Store(tmp_path).run_folder, Store(tmp_path).is_claimed):
        with pytest.raises(UsageError, match="is no key of a run"):
            look(key)


def test_a_training_that_hangs_is_ended_from_within(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda seconds, **_: armed.append(seconds))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: armed.append(0))
    run = plan.runs[0]
    store = Store(tmp_path / "results")
    work(Job(type(run)(**{**vars(run), "timeout": 1000.0}), str(store.folder), "cpu", 1))
    assert armed == [1000.0 + training.HUNG_SECONDS, 0]


def test_a_checkpoint_of_another_run_is_not_gone_on_from(plan: Plan, tmp_path: Path) -> None:
    from benchmark.data import datasets
    from benchmark.training.trainer import Trainer

    one, other = plan.runs[:2]
    data = datasets.create(one.config["dataset"]["name"], one.dataset_options)
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, Trainer(one.config, data, torch.device("cpu")))
    with pytest.raises(RuntimeError, match="it is of another run"):
        Trainer(other.config, data, torch.device("cpu")).fit(path, lambda *_: None)


def test_a_fork_that_outlives_a_run_does_not_hold_it(tmp_path: Path) -> None:
    store, key = Store(tmp_path), "vq_vae-K8-s0-0123abcd"
    ours, theirs = socket.socketpair()
    with store.claim(key):
        if (child := os.fork()) == 0:
            ours.close()
            theirs.send(b"here")
            theirs.recv(1)
            os._exit(0)
        theirs.close()
        assert ours.recv(4) == b"here"
        assert store.is_claimed(key)
    with ours:
        assert not store.is_claimed(key)
    os.waitpid(child, 0)
