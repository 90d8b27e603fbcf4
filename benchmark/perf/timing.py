"""Interleaved timing: every contender in every round, so that whatever slows the machine down slows them all."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmark.perf.cases import Prepared
from methods.parts import nearest

_SHORTEST = 0.05
"""Seconds that one measurement lasts at least; shorter operations are repeated within it."""
_MOST_REPEATS = 100
_COLD_MATTERS = 0.5
"""Operations shorter than this many seconds are done once untimed first: the contender before left the caches and the
allocator as it likes them."""


@dataclass(frozen=True)
class Effort:
    """How many rounds: as many as fit in ``seconds``, within bounds."""

    seconds: float
    fewest: int
    most: int


FULL = {"cpu": Effort(seconds=15.0, fewest=3, most=15), "cuda": Effort(seconds=1.0, fewest=3, most=15)}
"""By the kind of device: on a GPU little else disturbs the clock."""
QUICK = Effort(seconds=1.0, fewest=3, most=5)


@dataclass
class Clock:
    """Seconds on a device; ``now`` is replaced in tests."""

    device: torch.device
    now: Callable[[], float] = field(default=time.perf_counter)

    def time(self, operation: Prepared, repeats: int = 1) -> float:
        """Seconds of one ``operation``, from and to an idle device."""
        self._wait()
        started = self.now()
        for _ in range(repeats):
            operation()
        self._wait()
        return (self.now() - started) / repeats

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def time_in_rounds(operations: Mapping[str, Prepared], clock: Clock, effort: Effort) -> dict[str, list[float]]:
    """Seconds of each operation in each round. Rounds begin with another contender each time."""
    for operation in operations.values():
        operation()
    first = {name: clock.time(operation) for name, operation in operations.items()}
    repeats = {name: max(1, min(_MOST_REPEATS, round(_SHORTEST / seconds))) for name, seconds in first.items()}
    warm_up = {name for name, seconds in first.items() if seconds < _COLD_MATTERS}
    a_round = sum(first[name] * (repeats[name] + (name in warm_up)) for name in operations)
    rounds = max(effort.fewest, min(effort.most, int(effort.seconds / a_round)))
    names = list(operations)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for index in range(rounds):
        shift = index % len(names)
        for name in names[shift:] + names[:shift]:
            if name in warm_up:
                operations[name]()
            seconds[name].append(clock.time(operations[name], repeats[name]))
    return seconds


def paired_ratio(seconds: list[float], reference: list[float]) -> float:
    """Median over rounds of one contender's time over another's."""
    return median(one / other for one, other in zip(seconds, reference, strict=True))


def search_share(step: Prepared, clock: Clock, rounds: int) -> float:
    """Median share of a quantizer's step that its searches take."""
    shares = []
    for _ in range(rounds):
        with _timed_searches(clock) as searches:
            whole = clock.time(step)
        shares.append(sum(searches) / whole)
    return median(shares)


@contextmanager
def _timed_searches(clock: Clock) -> Iterator[list[float]]:
    """The seconds of every search made meanwhile, wherever it was imported to."""
    search, seconds = nearest.nearest_codes, []

    def timed(*args: Any, **kwargs: Any) -> Tensor:
        results: list[Tensor] = []
        seconds.append(clock.time(lambda: results.append(search(*args, **kwargs))))
        return results[0]

    importers = [module for module in sys.modules.values() if vars(module).get("nearest_codes") is search]
    for module in importers:
        vars(module)["nearest_codes"] = timed
    try:
        yield seconds
    finally:
        for module in importers:
            vars(module)["nearest_codes"] = search
