"""Runs what is left of a plan: finished runs are skipped, a failing one leaves a record and the others go on."""

import signal
from dataclasses import dataclass, field
from typing import Any

from benchmark.display import Display
from benchmark.launchers import Event, Launcher
from benchmark.run import Run
from benchmark.store import Store
from benchmark.suite import Plan
from benchmark.worker_job import EXIT_CLAIMED, Job, empty_record


@dataclass
class Outcome:
    """What a call of `run_plan` did: keys of runs by what became of them."""

    skipped: list[str] = field(default_factory=list)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    claimed: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def failed(self) -> list[str]:
        """Runs of this plan, now or before, whose record says they did not end well."""
        return [key for key, record in self.ended.items() if record["status"] != "ok"]


@dataclass(frozen=True)
class Settings:
    """Where and how runs happen; nothing here changes a result beyond rounding."""

    device: str
    threads: int
    plugins: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()
    keep_checkpoints: bool = False


def run_plan(plan: Plan, store: Store, launcher: Launcher, settings: Settings, display: Display) -> Outcome:
    """Do every run of ``plan`` that has no record yet.

    Runs whose record has a status in ``settings.retry`` are done again. Interrupted by Ctrl-C, the
    running ones save where they stand and the next call goes on.
    """
    outcome = Outcome()
    jobs: list[Job] = []
    for problem in store.problems([run.key for run in plan.runs]):
        display.note(f"{problem}; the run is done again")
    for run in plan.runs:
        record = store.record(run.key)
        if record is not None and record["status"] not in settings.retry:
            outcome.skipped.append(run.key)
            outcome.ended[run.key] = record
        else:
            jobs.append(_job(run, store, settings))
    display.begin(len(jobs), len(outcome.skipped))
    try:
        for event in launcher.launch(jobs):
            display.show(event)
            if event.kind == "ended":
                _settle(event, store, outcome, display)
    except KeyboardInterrupt:
        outcome.interrupted = True
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        display.note("interrupted: the running ones save where they stand; the same command goes on from there")
        launcher.stop()
        signal.signal(signal.SIGINT, previous)
    finally:
        display.close()
    return outcome


def _job(run: Run, store: Store, settings: Settings) -> Job:
    return Job(
        run,
        results=str(store.folder.resolve()),
        device=settings.device,
        threads=settings.threads,
        plugins=settings.plugins,
        retry=settings.retry,
        keep_checkpoint=settings.keep_checkpoints,
    )


def _settle(event: Event, store: Store, outcome: Outcome, display: Display) -> None:
    """Take over what a worker left; one that died without a record gets one."""
    key = event.job.run.key
    if event.exit_code == EXIT_CLAIMED:
        outcome.claimed.append(key)
        return
    record = store.record(key)
    if record is None:
        reason = _reason(event.exit_code)
        lost = {**empty_record(event.job.run), "status": "failed", "reason": reason, "traceback": event.message}
        store.write_record(key, lost)
        record = store.record(key)
        assert record is not None
    outcome.ended[key] = record
    if record["status"] != "ok":
        display.note(f"{key}: {record['status']}: {record['reason']}")


def _reason(exit_code: int) -> str:
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = " (often the system ran out of memory)" if name == "SIGKILL" else ""
        return f"the process was ended by {name}{hint}"
    return f"the process ended with exit code {exit_code} and left no record"


def default_jobs(device: str, cores: int) -> int:
    """Runs at a time: one a core up to four on a CPU, one on a GPU."""
    return max(1, min(4, cores)) if device == "cpu" else 1
