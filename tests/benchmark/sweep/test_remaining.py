"""The estimate of a running sweep, on timings that were recorded: within a factor of 1.5 of what the rest took."""

import csv
import heapq
from pathlib import Path

import pytest

from benchmark import plan
from benchmark.records.run import Run
from benchmark.sweep.remaining import Remaining

TIMINGS = Path(__file__).with_name("timings.csv")
"""Of 36 runs on a machine of their own, one at a time: what makes SimVQ work, at 2,000 steps."""
POINTS = 8


def recorded() -> list[tuple[Run, dict[str, float]]]:
    """Runs in the order in which they were made, with their timings."""
    with TIMINGS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    planned = {(run.arm, run.config["seed"]): run for run in plan("simvq_ablation").runs}
    seconds = ("train_seconds", "evaluate_seconds", "total_seconds")
    return [(planned[row["arm"], int(row["seed"])], {name: float(row[name]) for name in seconds}) for row in rows]


def replayed(runs: list[tuple[Run, dict[str, float]]], at_a_time: int) -> list[tuple[float, float, float | None]]:
    """Share of the time that has passed, what is left, and what the estimate says, at each piece of news."""
    rest, estimator = list(runs), Remaining([run for run, _ in runs])
    news: list[tuple[float, int, str, Run, int]] = []
    number, asked = 0, []

    def start(now: float) -> None:
        nonlocal number
        run, timings = rest.pop(0)
        estimator.started(run, now)
        steps = run.config["training"]["steps"]
        begun = timings["total_seconds"] - timings["train_seconds"] - timings["evaluate_seconds"]
        for point in range(1, POINTS + 1):
            at = now + max(0.0, begun) + timings["train_seconds"] * point / POINTS
            heapq.heappush(news, (at, number := number + 1, "progress", run, steps * point // POINTS))
        heapq.heappush(news, (now + timings["total_seconds"], number := number + 1, "ended", run, 0))

    for _ in range(min(at_a_time, len(rest))):
        start(0.0)
    while news:
        now, _, kind, run, step = heapq.heappop(news)
        if kind == "progress":
            estimator.progress(run.key, step, now)
        else:
            estimator.ended(run, now)
            if rest:
                start(now)
        asked.append((now, estimator.seconds(now)))
    end = asked[-1][0]
    return [(now / end, end - now, seconds) for now, seconds in asked]


@pytest.mark.parametrize("at_a_time", [1, 2])
def test_an_estimate_is_within_a_factor_of_one_and_a_half(at_a_time: int) -> None:
    # Of runs whose equals took equally long; where a machine was shared, equal runs of a suite differ by 2.5 times.
    asked = replayed(recorded(), at_a_time)
    middle = [(left, seconds) for share, left, seconds in asked if 0.25 <= share <= 0.9]
    assert all(seconds is not None for _, seconds in middle)
    within = [1 / 1.5 <= seconds / left <= 1.5 for left, seconds in middle if seconds is not None]
    assert sum(within) / len(within) > 0.9, sorted(seconds / left for left, seconds in middle if seconds)


def test_nothing_is_said_while_nothing_is_known() -> None:
    (first, _), (second, _) = recorded()[:2]
    estimator = Remaining([first, second])
    assert estimator.seconds(0.0) is None
    estimator.started(first, 0.0)
    assert estimator.seconds(5.0) is None
    steps = first.config["training"]["steps"]
    estimator.progress(first.key, steps // 10, 10.0)
    estimator.progress(first.key, steps // 5, 20.0)
    assert estimator.seconds(20.0) == pytest.approx(80 + 100)
    estimator.progress(first.key, steps, 100.0)
    estimator.ended(first, 112.0)
    assert estimator.seconds(112.0) == pytest.approx(112)
    estimator.ended(second, 113.0)  # by another process
    assert estimator.seconds(113.0) == 0


def test_a_run_that_goes_on_is_not_taken_for_a_fast_one() -> None:
    ((run, _), *_) = recorded()
    steps = run.config["training"]["steps"]
    estimator = Remaining([run])
    estimator.started(run, 0.0)
    estimator.progress(run.key, steps // 2, 10.0)  # from its checkpoint
    assert estimator.seconds(10.0) is None
    estimator.progress(run.key, steps // 2 + steps // 10, 30.0)
    assert estimator.seconds(30.0) == pytest.approx(80, rel=0.01)
