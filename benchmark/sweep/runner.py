"""Runs what is left of a plan: finished runs are skipped, a failing one leaves a record and the others go on."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.records.record import empty_record
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.suite.plan import Plan
from benchmark.sweep.display import Display
from benchmark.sweep.launchers.base import Event, Launcher
from benchmark.sweep.loggers import Follower
from benchmark.sweep.time_limit import OutOfTime, alarm
from benchmark.worker.channel import Ending
from benchmark.worker.job import Job
from benchmark.worker.verdict import signal_name, sound, verdict
from methods.core.usage import UsageError

_POLL_SECONDS = 0.5


@dataclass
class Outcome:
    """What a call of `run_plan` did: keys of runs by what became of them.

    ``lost``: runs without a record though this call began them, and why; the next call goes on with them.
    """

    skipped: list[str] = field(default_factory=list)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
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
    beside: int = 1
    """Runs at a time that share a device."""
    stop_at: float | None = None
    """By the monotonic clock: when the running ones save where they stand."""


def run_plan(
    plan: Plan,
    store: Store,
    launcher: Launcher,
    settings: Settings,
    display: Display,
    prepare: Callable[[], object] = lambda: None,
    follower: Follower | None = None,
) -> Outcome:
    """Do every run of ``plan`` that has no record yet, and wait for those that another process does.

    Runs whose record has a status in ``settings.retry`` are done again. Interrupted by Ctrl-C, SIGTERM or
    SIGHUP, or at ``settings.stop_at``, the running ones save where they stand and the next call goes on.

    Args:
        prepare: called before the first run, if there is any to do.
        follower: shows the runs in another program too.

    Raises:
        UsageError: the results can't be written any more, or no process started.
    """
    outcome = Outcome()
    records, problems = store.survey(run.key for run in plan.runs)
    for problem in problems:
        display.note(f"{problem}; the run is done again")
    for run in plan.runs:
        if run.key in records and not run.is_of(records[run.key]):
            other = f"{store.record_path(run.key)} is the record of another configuration under the key of this run"
            raise UsageError(f"{other}; move its folder away, or name another one with --results")
    done = {run.key: run.is_finished(records.get(run.key)) for run in plan.runs}
    without = [key for key in records if not done[key]]
    if without:
        display.note(f"{len(without)} finished runs did not keep their weights, and are done again")
    outcome.ended = {
        key: record for key, record in records.items() if done[key] and record["status"] not in settings.retry
    }
    outcome.skipped = list(outcome.ended)
    waiting = [run for run in plan.runs if run.key not in outcome.ended]
    try:
        with _signals_interrupt(), alarm(settings.stop_at):
            if waiting:
                prepare()
            if follower is not None:
                follower.finished(run for run in plan.runs if run.key in outcome.ended)
            display.begin(waiting, [(run, outcome.ended[run.key]) for run in plan.runs if run.key in outcome.ended])
            sweep = _Sweep(store, launcher, display, outcome, follower)
            sweep.do([_job(run, store, settings) for run in waiting if run.tokenizer is None])
            priors = [run for run in waiting if run.tokenizer is not None]
            sweep.do([_job(run, store, settings) for run in sweep.with_tokenizer(priors)])
    except KeyboardInterrupt as interrupt:
        outcome.interrupted = True
        why = "time limit" if isinstance(interrupt, OutOfTime) else "interrupted"
        left = f"{len(plan.runs) - len(outcome.ended)} of {len(plan.runs)} runs are left"
        display.note(f"{why}: {left}; the running ones save where they stand, and the same command goes on from there")
        _stop(launcher)
    except BaseException:
        _stop(launcher)
        raise
    finally:
        display.close()
    return outcome


class _Sweep:
    """The runs of one call, from the first launch to the last record."""

    def __init__(
        self, store: Store, launcher: Launcher, display: Display, outcome: Outcome, follower: Follower | None
    ) -> None:
        self._store = store
        self._launcher = launcher
        self._display = display
        self._outcome = outcome
        self._follower = follower
        self._claimed: list[Job] = []
        self._crowded: list[Job] = []
        self._unwritable: str | None = None

    def do(self, jobs: list[Job]) -> None:
        """All ``jobs``, in rounds: what another process holds is looked at again when it lets go."""
        while jobs:
            for event in self._launcher.launch(self._left(jobs)):
                self._display.show(event, self._store.record(event.job.run.key) if event.kind == "ended" else None)
                if event.kind == "ended":
                    self._settle(event)
                if self._follower is not None:
                    self._follower.show(event)
            if self._unwritable is not None:
                raise UsageError(f"{self._unwritable}; nothing whole is lost, and the same command goes on from there")
            jobs = self._released() or self._alone()

    def with_tokenizer(self, priors: list[Run]) -> list[Run]:
        """Those of ``priors`` whose tokenizer ended well; the others are named, and their records are yet to come."""
        ended = self._outcome.ended
        good = [run for run in priors if run.tokenizer in ended and ended[run.tokenizer]["status"] == "ok"]
        if without := sorted({run.tokenizer or "" for run in priors if run not in good}):
            self._display.note(f"no prior on the codes of {', '.join(without)}, which did not end well")
        return good

    def _left(self, jobs: list[Job]) -> Iterator[Job]:
        """Those of ``jobs`` that nobody does or has done, asked when their turn comes."""
        for job in jobs:
            if self._unwritable is not None:
                return
            if self._take(job):
                self._display.done_elsewhere(job)
            elif self._store.is_claimed(job.run.key):
                self._claimed.append(job)
            else:
                yield job

    def _released(self) -> list[Job]:
        """Wait until another process has let go of a run at least, finished or not."""
        if self._claimed:
            self._display.note(f"waiting for {len(self._claimed)} that another process does")
        while self._claimed:
            free = [job for job in self._claimed if not self._store.is_claimed(job.run.key)]
            if free:
                self._claimed = [job for job in self._claimed if job not in free]
                return free
            time.sleep(_POLL_SECONDS)
        return []

    def _alone(self) -> list[Job]:
        """One of those that had no room beside others, with no other at its side."""
        return [self._crowded.pop(0)] if self._crowded else []

    def _take(self, job: Job) -> bool:
        """Whether there is a record that counts, made since this call began."""
        key = job.run.key
        record = self._store.record(key)
        if record is None or self._store.fingerprint(key) == job.replaces:
            return False
        self._outcome.ended[key] = record
        return True

    def _settle(self, event: Event) -> None:
        """Take over what a worker left; one that died of its run without a record gets one."""
        job, key = event.job, event.job.run.key
        if event.ending is Ending.CLAIMED:
            self._claimed.append(job)
            return
        if event.ending is Ending.CROWDED:
            self._crowded.append(replace(job, beside=1))
            self._display.note(f"{job.run.label}: no room on the GPU beside others; it goes on alone after them")
            return
        with self._store.claim(key) as mine:
            if not mine:  # another process went on with it at once
                self._claimed.append(job)
                return
            if not self._take(job):
                self._without_record(event)
        if key in self._outcome.ended and self._outcome.ended[key]["status"] != "ok":
            record = self._outcome.ended[key]
            self._display.note(f"{job.run.label}: {record['status']}: {record['reason']}")

    def _without_record(self, event: Event) -> None:
        """A worker is gone and left nothing; to be called by who holds its run."""
        job, key = event.job, event.job.run.key
        if event.ending is Ending.UNWRITABLE:
            self._unwritable = event.message or f"the results of {key} can't be written"
            self._outcome.lost[key] = self._unwritable
            return
        if event.ending is Ending.CHANGED:
            self._outcome.lost[key] = event.message
            self._display.note(f"{job.run.label}: {event.message}")
            return
        stopped = event.ending is Ending.STOPPED
        found = None if stopped else verdict(event.exit_code, event.message, event.out_of_memory)
        if found is None:
            how = "stopped" if stopped else f"ended by {signal_name(event.exit_code)}"
            self._outcome.lost[key] = f"{how} from outside"
            self._display.note(f"{job.run.label}: {how} from outside; the same command goes on with it")
            return
        status, reason = found
        dead = {**empty_record(job.run), "status": status, "reason": reason, "traceback": sound(event.message)}
        self._store.write_record(key, dead)
        self._take(job)


def _job(run: Run, store: Store, settings: Settings) -> Job:
    return Job(
        run,
        results=str(store.folder.resolve()),
        device=settings.device,
        threads=settings.threads,
        plugins=settings.plugins,
        others=str(store.folder.resolve().parent),
        replaces=store.fingerprint(run.key),
        keep_checkpoint=settings.keep_checkpoints,
        beside=settings.beside,
    )


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stop(launcher: Launcher) -> None:
    """Stop what runs, without being interrupted in that."""
    if threading.current_thread() is not threading.main_thread():
        launcher.stop()
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        launcher.stop()
    finally:
        signal.signal(signal.SIGINT, previous)
