"""What a person sees while runs go on: bars with loss, usage and ETA on a terminal; elsewhere lines now and then."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tqdm import tqdm

from benchmark.records.plain import one_line
from benchmark.records.run import Run
from benchmark.sweep.launchers.base import Event
from benchmark.sweep.remaining import Remaining
from benchmark.worker.job import Job

SECONDS_A_LINE = 60.0
"""Between two lines of one run in a log; the first comes as soon as there is a loss."""


class Display:
    """Progress of a set of runs on standard error."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._total: Any = None
        self._bars: dict[str, Any] = {}
        self._count = self._done = 0
        self._begun: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._remaining = Remaining([])

    def begin(self, runs: Sequence[Run], finished: Sequence[tuple[Run, Mapping[str, Any]]] = ()) -> None:
        """``runs`` are to be done; others are ``finished``, with their records."""
        self._count = len(runs)
        self._remaining = Remaining(list(runs))
        for run, record in finished:
            self._remaining.finished(run, record)
        if finished:
            self.note(f"{len(finished)} finished {_runs(len(finished))} skipped")
        if self._terminal and runs:
            self._total = tqdm(total=len(runs), desc="runs", unit="run", dynamic_ncols=True, position=0)
            self._total.bar_format = "{desc}: {n_fmt}/{total_fmt} |{bar}| {elapsed}{postfix}"

    def show(self, event: Event, record: Mapping[str, Any] | None = None) -> None:
        """Show one event, of a run that ended with its ``record``."""
        run, now = event.job.run, time.monotonic()
        if event.kind == "started":
            self._begun[run.key] = now
            self._remaining.started(run, now)
            if self._terminal:
                line = min(set(range(1, len(self._bars) + 2)) - {abs(bar.pos) for bar in self._bars.values()})
                self._bars[run.key] = tqdm(
                    total=run.steps, desc=run.label, unit="step", dynamic_ncols=True, leave=False, position=line
                )
        elif event.kind == "progress":
            self._remaining.progress(run.key, event.step, now)
            self._show_progress(event, now)
        elif event.kind == "ended":
            self._remaining.ended(run, now, record)
            self._end(run)

    def done_elsewhere(self, job: Job) -> None:
        """Another process has done a run of this call's."""
        self._done += 1
        self._remaining.ended(job.run, time.monotonic())
        if self._total is not None:
            self._total.update()
        elif not self._terminal:
            self.note(f"[{self._done}/{self._count}] {job.run.label} done by another process")

    def note(self, sentence: str) -> None:
        """A sentence that stays."""
        if not self._quiet:
            tqdm.write(one_line(sentence), file=sys.stderr)

    def close(self) -> None:
        """Remove the bars."""
        for bar in [*self._bars.values(), *([self._total] if self._total is not None else [])]:
            bar.close()

    def _show_progress(self, event: Event, now: float) -> None:
        """On the run's bar; in a log one line a minute at most."""
        key, usage = event.job.run.key, f", usage {event.usage:.1%}" if event.usage is not None else ""
        if key in self._bars:
            bar = self._bars[key]
            bar.set_postfix_str(f"loss {event.loss:.4g}{usage}", refresh=False)
            bar.update(event.step - bar.n)
            if self._total is not None:
                self._total.set_postfix_str(self._left(now))
        elif not self._terminal and now - self._told.get(key, -SECONDS_A_LINE) >= SECONDS_A_LINE:
            self._told[key] = now
            where = f"step {event.step:,} of {event.job.run.steps:,}"
            left = "; ".join(filter(None, [f"loss {event.loss:.4g}{usage}", self._left(now)]))
            self.note(f"{event.job.run.label}: {where}, {left}")

    def _end(self, run: Run) -> None:
        self._done += 1
        now = time.monotonic()
        if run.key in self._bars:
            self._bars.pop(run.key).close()
        if self._total is not None:
            self._total.update()
            self._total.set_postfix_str(self._left(now))
        elif not self._terminal:
            took = f"[{self._done}/{self._count}] {run.label} in {now - self._begun[run.key]:.0f} s"
            self.note(", ".join(filter(None, [took, self._left(now) if self._done < self._count else ""])))

    def _left(self, now: float) -> str:
        """Of all runs together; nothing while nothing is known."""
        seconds = self._remaining.seconds(now)
        return "" if seconds is None else f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for unit, size, digits in (("days", 86_400, 1), ("h", 3_600, 1), ("min", 60, 0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"
