"""What every launcher promises: one end for every job, whole records, no run harmed by another, stops that save."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.records.store import Store
from benchmark.suite.plan import Plan, plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Event, Launcher, LocalLauncher, local
from benchmark.sweep.launchers.process import End
from benchmark.sweep.runner import Outcome, Settings, run_plan
from benchmark.worker.job import Job
from methods import load_plugin

pytestmark = pytest.mark.usefixtures("own_registries")
Write = Callable[[dict[str, object] | str], str]

PLUGIN = """
import os, signal, time
from methods import register
from methods.vq_vae import VQVAE
from methods.vq_vae_ema import VQVAEEMA

# What is asked of a method before its first step: building an optimiser alone would take a second and a half.

@register("exits")
class Exits(VQVAE):
    def parameter_groups(self, lr):
        if os.fork() == 0:
            time.sleep(30)  # with what it inherited open
            os._exit(0)
        print("[" * 200_000, '{"step": 1e999}', '{"ending": "claimed", "message": ""}', sep="\\n")
        print("last words", flush=True)
        os._exit(75)

@register("crashes")
class Crashes(VQVAE):
    def parameter_groups(self, lr):
        os.kill(os.getpid(), signal.SIGSEGV)

@register("is_killed_once")
class IsKilledOnce(VQVAE):
    def parameter_groups(self, lr):
        if not os.path.exists("PLANTED"):
            open("PLANTED", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().parameter_groups(lr)

@register("is_stopped_once")
class IsStoppedOnce(VQVAEEMA):
    def after_step(self):
        super().after_step()
        if not os.path.exists("STOPPED"):
            open("STOPPED", "w").close()
            os.kill(os.getpid(), signal.SIGTERM)  # as anyone may send it

@register("slow_at_first")
class SlowAtFirst(VQVAEEMA):
    def after_step(self):
        super().after_step()
        if not os.path.exists("HURRY"):
            time.sleep(0.02)  # a stop comes before the end
"""

EDITED = """
from methods import register
from methods.vq_vae import VQVAE

@register("edited")
class Edited(VQVAE):
    pass
"""


RAY, SLURM = (
    pytest.param(name, marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")]) for name in ("ray", "slurm")
)


def _open(name: str, in_process: Launcher) -> Iterator[Launcher]:
    """Two runs at a time."""
    if name == "slurm":  # its allocations as processes of this machine; test_slurm.py has a real one
        pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
        from benchmark.sweep.launchers.slurm import SlurmLauncher

        yield SlurmLauncher({}, 2, 1, 0, cluster="local")
        return
    if name != "ray":
        yield LocalLauncher(2) if name == "local" else in_process
        return
    ray = pytest.importorskip("ray")
    from benchmark.sweep.launchers.ray import RayLauncher

    yield RayLauncher(None, slots=2, cpus=0.5, gpus=0.0)
    ray.shutdown()


@pytest.fixture(params=["local", RAY, SLURM])
def launcher(request: pytest.FixtureRequest, in_process: Launcher) -> Iterator[Launcher]:
    yield from _open(request.param, in_process)


@pytest.fixture(params=["in_process", RAY, SLURM])
def quick_launcher(request: pytest.FixtureRequest, in_process: Launcher) -> Iterator[Launcher]:
    """For what the runner promises with any launcher."""
    yield from _open(request.param, in_process)


class Recording(Display):
    """Keeps the events, and does something at the first step of at least 20."""

    def __init__(self, disturb: Callable[[], None] | None = None) -> None:
        super().__init__(quiet=True)
        self.events: list[Event] = []
        self._disturb = disturb

    def show(self, event: Event, record: Mapping[str, Any] | None = None) -> None:
        super().show(event, record)
        self.events.append(event)
        if event.step >= 20 and self._disturb is not None:
            disturb, self._disturb = self._disturb, None
            disturb()


@pytest.fixture
def small(tiny: dict[str, object]) -> dict[str, object]:
    """A suite on vectors: a worker that measures no images imports a third less."""
    del tiny["evaluation"]
    data = {"name": "planted", "kind": "clustered", "test_items": 64}
    return {**tiny, "dataset": data, "model": "identity", "methods": ["vq_vae_ema", "simvq"]}


def _run(plan: Plan, store: Store, launcher: Launcher, display: Display, **settings: Any) -> Outcome:
    return run_plan(plan, store, launcher, Settings("cpu", threads=1, **settings), display)


def test_every_end_of_a_run_is_one_event_and_touches_no_other(
    launcher: Launcher,
    in_process: Launcher,
    small: dict[str, object],
    write_suite: Write,
    tmp_path: Path,
) -> None:
    """A run that was stopped ends beside others that end badly, and as one that nothing disturbed."""
    plugin = tmp_path / "plugin.py"
    plugin.write_text(_named(tmp_path))
    load_plugin(plugin)
    edited = tmp_path / "edited.py"
    edited.write_text(EDITED)
    load_plugin(edited)
    bad = ["exits", "crashes", "is_killed_once", "edited"]
    small["training"] = {"steps": 300, "batch_size": 8, "learning_rate": 1e-3, "ema_decay": 0.99}
    suite = write_suite({**small, "methods": ["slow_at_first", *bad]})
    plan, alone = plan_suite(suite), plan_suite(suite, methods=["slow_at_first"])
    edited.write_text(f"{EDITED}# since the plan was made\n")
    files, store = (str(plugin), str(edited)), Store(tmp_path / "results")
    (slow,) = alone.runs
    _stop(alone, store, launcher, files)
    (tmp_path / "hurry").touch()

    display = Recording()
    outcome = _run(plan, store, launcher, display, plugins=files)
    ended = [event.job.run.key for event in display.events if event.kind == "ended"]
    assert sorted(ended) == sorted(run.key for run in plan.runs)
    found = {record["config"]["method"]: record for record in outcome.ended.values()}
    assert found["slow_at_first"]["status"] == "ok"
    assert found["slow_at_first"]["provenance"]["threads"] == 1
    assert found["exits"]["reason"] == "the process ended with exit code 75 and left no record"
    assert found["exits"]["traceback"].endswith("last words\n")
    assert len(found["exits"]["traceback"]) < 50_000
    assert found["crashes"]["reason"] == "the process was ended by SIGSEGV"
    assert "in parameter_groups" in found["crashes"]["traceback"]
    lost = {key.split("-")[0]: (key, reason) for key, reason in outcome.lost.items()}
    assert set(lost) == {"is_killed_once", "edited"}
    assert lost["is_killed_once"][1] == "ended by SIGKILL from outside"
    assert lost["edited"][1].startswith("the method edited of a plug-in is sha256:")

    told = [event for event in display.events if event.kind == "progress" and event.job.run.key == slow.key]
    assert any(event.usage is not None for event in told)
    assert min(event.step for event in told) > 20, "it goes on where it was stopped"
    assert not (store.run_folder(slow.key) / "checkpoint.pt").exists()
    undisturbed = _run(alone, Store(tmp_path / "undisturbed"), in_process, Recording(), plugins=files)
    assert found["slow_at_first"]["metrics"] == undisturbed.ended[slow.key]["metrics"]

    again = _run(plan, store, in_process, Recording(), plugins=files)
    assert again.ended[lost["is_killed_once"][0]]["status"] == "ok"
    assert sorted(again.skipped) == sorted(outcome.ended)


def _named(folder: Path) -> str:
    """The plug-in with its files by name, for the workers of a cluster that is up already have its environment."""
    return re.sub("PLANTED|STOPPED|HURRY", lambda name: str(folder / name[0].lower()), PLUGIN)


def _stop(plan: Plan, store: Store, launcher: Launcher, files: tuple[str, ...]) -> None:
    """Interrupt the plan's one run, which leaves a checkpoint."""
    (run,) = plan.runs

    def interrupt() -> None:
        assert store.is_claimed(run.key)
        raise KeyboardInterrupt

    outcome = _run(plan, store, launcher, Recording(interrupt), plugins=files)
    assert outcome.interrupted
    assert not store.is_claimed(run.key)
    assert store.record(run.key) is None
    assert (store.run_folder(run.key) / "checkpoint.pt").exists()


def test_a_worker_stopped_from_outside_is_no_record_and_the_next_call_goes_on(
    in_process: Launcher, small: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(_named(tmp_path))
    load_plugin(plugin)
    plan, store = plan_suite(write_suite({**small, "methods": ["is_stopped_once"]})), Store(tmp_path / "results")
    outcome = _run(plan, store, LocalLauncher(1), Recording(), plugins=(str(plugin),))
    key = plan.runs[0].key
    assert not outcome.ended
    assert outcome.lost[key] == "stopped from outside"
    checkpoint = store.run_folder(key) / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    state["progress"]["seconds"] += 1000
    torch.save(state, checkpoint)
    record = _run(plan, store, in_process, Recording(), plugins=(str(plugin),)).ended[key]
    assert record["status"] == "ok"
    timings = record["timings"]
    assert timings["total_seconds"] > timings["train_seconds"] + timings["evaluate_seconds"] > 1000


def test_a_run_that_another_process_holds_is_waited_for(
    quick_launcher: Launcher, small: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plan = plan_suite(write_suite(small))
    held, other = plan.runs
    store = Store(tmp_path / "results")
    claim = store.claim(held.key)
    assert claim.__enter__()

    class Releasing(Recording):
        def note(self, sentence: str) -> None:
            if sentence.startswith("waiting for 1"):
                assert store.record(other.key) is not None
                assert store.record(held.key) is None
                claim.__exit__(None, None, None)

    outcome = _run(plan, store, quick_launcher, Releasing())
    assert {record["status"] for record in outcome.ended.values()} == {"ok"}
    assert len(outcome.ended) == 2


class Planted:
    """A worker that is told when to end, or fails to be listened to."""

    def __init__(self, ends: threading.Event, error: Exception | None = None) -> None:
        self._ends, self._error = ends, error

    def progress(self) -> Iterator[dict[str, Any]]:
        yield {"step": 1, "loss": 0.5, "usage": None}
        assert self._ends.wait(10)
        if self._error is not None:
            raise self._error

    def end(self) -> End:
        return End(0, "", False)


def test_the_same_run_may_begin_again_while_its_last_worker_is_still_heard_out(
    small: dict[str, object], write_suite: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(plan_suite(write_suite(small)).runs[0], str(tmp_path), "cpu", 1)
    first, second = threading.Event(), threading.Event()
    workers = iter([Planted(first), Planted(second)])
    monkeypatch.setattr(local, "WorkerProcess", lambda job: next(workers))
    launcher = LocalLauncher(1)
    interrupted, again = launcher.launch([job]), launcher.launch([job])
    assert [next(events).kind for events in (interrupted, again)] == ["started", "started"]
    first.set()
    assert [event.kind for event in interrupted] == ["progress", "ended"]
    second.set()
    assert [event.kind for event in again] == ["progress", "ended"]


def test_a_fault_in_listening_is_raised_where_events_are_awaited(
    small: dict[str, object], write_suite: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(plan_suite(write_suite(small)).runs[0], str(tmp_path), "cpu", 1)
    ends = threading.Event()
    ends.set()
    monkeypatch.setattr(local, "WorkerProcess", lambda job: Planted(ends, OSError("planted")))
    with pytest.raises(OSError, match="planted"):
        list(LocalLauncher(1).launch([job]))
