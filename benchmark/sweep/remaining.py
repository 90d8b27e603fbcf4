"""How long the rest of a sweep takes, from the runs that have ended and from how far the others are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from benchmark.records.run import Run
from benchmark.sweep.costs import Costs
from benchmark.sweep.room import shape

_FIRST = 0.05
"""Share of its steps from which a running run says how long it will take."""


@dataclass
class _Running:
    """By the clock: when a run began, and when how far it was was last heard."""

    run: Run
    since: float
    step: int = 0
    heard: float = 0.0
    first_step: int | None = None
    first_heard: float = 0.0

    @property
    def rate(self) -> float | None:
        """Seconds a step, between the first and the last that was heard; a run that goes on began at a later one."""
        if self.first_step is None or self.step - self.first_step < _FIRST * self.run.steps:
            return None
        return (self.heard - self.first_heard) / (self.step - self.first_step)


@dataclass
class Remaining:
    """Told of every run that begins, goes on or ends; asked how long the rest will take."""

    left: list[Run]
    _costs: Costs = field(default_factory=Costs)
    _running: dict[str, _Running] = field(default_factory=dict)
    _shapes: dict[str, str] = field(default_factory=dict)

    def finished(self, run: Run, record: Mapping[str, Any]) -> None:
        """A run that ended before all this has ``record``."""
        if record["status"] == "ok" and (took := record["timings"].get("total_seconds")) is not None:
            self._costs.ended(run, took, record["timings"], earlier=True)

    def started(self, run: Run, now: float) -> None:
        """A run begins."""
        self._drop(run)
        self._running[run.key] = _Running(run, now, heard=now)

    def progress(self, key: str, step: int, now: float) -> None:
        """A run is at ``step``."""
        if (running := self._running.get(key)) is not None:
            if running.first_step is None:
                running.first_step, running.first_heard = step, now
            running.step, running.heard = step, now

    def ended(self, run: Run, now: float, record: Mapping[str, Any] | None = None) -> None:
        """A run is over, or another process has done it; ``record`` where there is one."""
        self._drop(run)
        running = self._running.pop(run.key, None)
        if running is not None and (record is None or record["status"] == "ok"):
            self._costs.ended(run, now - running.since, record["timings"] if record else {})

    def seconds(self, now: float) -> float | None:
        """By the wall clock, with as many runs at a time as now; None while nothing is known."""
        running = [
            max(0.0, self._rest(one, now, known))
            for one in self._running.values()
            if (known := self._duration(one.run)) is not None
        ]
        waiting = [known for run in self.left if (known := self._duration(run)) is not None]
        if len(running) + len(waiting) < len(self._running) + len(self.left):
            return None
        at_a_time = max(1, len(self._running))
        return max([(sum(running) + sum(waiting)) / at_a_time, *running], default=0.0)

    def _rest(self, one: _Running, now: float, known: float) -> float:
        if one.first_step is None or (rate := one.rate) is None:
            return known - (now - one.since)
        steps = one.run.steps - one.step
        return steps * rate + self._costs.fixed(one.run) - (now - one.heard)

    def _duration(self, run: Run) -> float | None:
        """Of runs of its shape; else by their rates, by what has ended, or by the rates of all."""
        if self._costs.knows(run):
            return self._costs.seconds(run)
        alike = self._rates(self._shape(run))
        if not alike and (known := self._costs.seconds(run)) is not None:
            return known
        rates = alike or self._rates()
        return run.steps * mean(rates) + self._costs.fixed(run) if rates else None

    def _rates(self, place: str | None = None) -> list[float]:
        """Of the running runs, or of those of one shape."""
        wanted = (one for one in self._running.values() if place is None or self._shape(one.run) == place)
        return [rate for one in wanted if (rate := one.rate) is not None]

    def _shape(self, run: Run) -> str:
        if run.key not in self._shapes:
            self._shapes[run.key] = shape(run)
        return self._shapes[run.key]

    def _drop(self, run: Run) -> None:
        self.left = [other for other in self.left if other.key != run.key]
