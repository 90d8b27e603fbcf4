"""What a person sees while runs go on: bars with loss, usage and ETA on a terminal, a line a run elsewhere."""

import sys
import time
from typing import Any

from tqdm import tqdm

from benchmark.records.plain import printable
from benchmark.sweep.launchers.base import Event
from benchmark.worker.job import Job


class Display:
    """Progress of a set of runs on standard error."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._total: Any = None
        self._bars: dict[str, Any] = {}
        self._count = self._done = 0
        self._started = time.monotonic()
        self._begun: dict[str, float] = {}

    def begin(self, count: int, skipped: int) -> None:
        """``count`` runs are to be done, ``skipped`` are finished."""
        self._count = count
        self._started = time.monotonic()
        if skipped:
            self.note(f"{skipped} finished {_runs(skipped)} skipped")
        if self._terminal and count:
            self._total = tqdm(total=count, desc="runs", unit="run", dynamic_ncols=True, position=0)

    def show(self, event: Event) -> None:
        """Show one event."""
        key = event.job.run.key
        if event.kind == "started":
            self._begun[key] = time.monotonic()
            if self._terminal:
                steps = event.job.run.config["training"]["steps"]
                line = min(set(range(1, len(self._bars) + 2)) - {abs(bar.pos) for bar in self._bars.values()})
                self._bars[key] = tqdm(
                    total=steps, desc=key, unit="step", dynamic_ncols=True, leave=False, position=line
                )
        elif event.kind == "progress" and key in self._bars:
            bar = self._bars[key]
            usage = f", usage {event.usage:.1%}" if event.usage is not None else ""
            bar.set_postfix_str(f"loss {event.loss:.4g}{usage}", refresh=False)
            bar.update(event.step - bar.n)
        elif event.kind == "ended":
            self._end(key)

    def done_elsewhere(self, job: Job) -> None:
        """Another process has done a run of this call's."""
        self._done += 1
        if self._total is not None:
            self._total.update()
        elif not self._terminal:
            self.note(f"[{self._done}/{self._count}] {job.run.key} done by another process")

    def note(self, sentence: str) -> None:
        """A sentence that stays."""
        if not self._quiet:
            tqdm.write(printable(sentence), file=sys.stderr)

    def close(self) -> None:
        """Remove the bars."""
        for bar in [*self._bars.values(), *([self._total] if self._total is not None else [])]:
            bar.close()

    def _end(self, key: str) -> None:
        self._done += 1
        if key in self._bars:
            self._bars.pop(key).close()
        if self._total is not None:
            self._total.update()
        elif not self._terminal:
            seconds = time.monotonic() - self._begun[key]
            left = (time.monotonic() - self._started) / self._done * (self._count - self._done)
            self.note(f"[{self._done}/{self._count}] {key} in {seconds:.0f} s, about {duration(left)} left")


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``, ``2.1 days``."""
    for unit, size, digits in (("days", 86_400, 1), ("h", 3_600, 1), ("min", 60, 0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def _runs(count: int) -> str:
    return "run" if count == 1 else "runs"
