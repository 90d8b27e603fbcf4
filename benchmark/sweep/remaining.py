"""How long the rest of a sweep takes, from the runs that have ended and from how far the others are."""

from dataclasses import dataclass, field
from statistics import mean

from benchmark.records.run import Run
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
    _running: dict[str, _Running] = field(default_factory=dict)
    _ended: dict[str, list[float]] = field(default_factory=dict)
    _rates: dict[str, list[float]] = field(default_factory=dict)
    _extra: list[float] = field(default_factory=list)
    _shapes: dict[str, str] = field(default_factory=dict)

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

    def ended(self, run: Run, now: float) -> None:
        """A run is over, or another process has done it."""
        self._drop(run)
        if (running := self._running.pop(run.key, None)) is not None:
            took = now - running.since
            self._ended.setdefault(self._shape(run), []).append(took)
            if (rate := running.rate) is not None:
                self._rates.setdefault(self._shape(run), []).append(rate)
                # Start-up and evaluation; of a run that went on, more than its training took here is not known.
                begun_here = (running.step - (running.first_step or 0)) * rate
                self._extra.append(max(0.0, took - begun_here))

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
        return steps * rate + self._evaluation() - (now - one.heard)

    def _duration(self, run: Run) -> float | None:
        """Of runs of its shape; else by their rates or by those of all, a step each, and what is no step."""
        if found := self._ended.get(self._shape(run)):
            return mean(found)
        alike = [one.rate for one in self._running.values() if self._shape(one.run) == self._shape(run)]
        rates = [rate for rate in alike if rate is not None] or self._all_rates()
        return run.steps * mean(rates) + self._evaluation() if rates else self._mean_ended()

    def _all_rates(self) -> list[float]:
        """One a shape, so that the shapes of which most have ended don't speak for those to come."""
        running = [rate for one in self._running.values() if (rate := one.rate) is not None]
        return [*map(mean, self._rates.values()), *running]

    def _evaluation(self) -> float:
        return mean(self._extra) if self._extra else 0.0

    def _mean_ended(self) -> float | None:
        return mean(took for own in self._ended.values() for took in own) if self._ended else None

    def _shape(self, run: Run) -> str:
        if run.key not in self._shapes:
            self._shapes[run.key] = shape(run)
        return self._shapes[run.key]

    def _drop(self, run: Run) -> None:
        self.left = [other for other in self.left if other.key != run.key]
