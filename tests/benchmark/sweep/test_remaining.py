"""The estimate of a running sweep, on timings that were recorded: within a factor of 1.5 of what the rest took."""

import csv
import heapq
import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmark import plan
from benchmark.records.run import Run
from benchmark.sweep.costs import DEAR
from benchmark.sweep.remaining import Remaining

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
TIMINGS = Path(__file__).with_name("timings.csv")
"""Of 36 runs on a machine of their own, one at a time: what makes SimVQ work, at 2,000 steps."""
BY_SIZE = Path(__file__).with_name("timings_by_size.csv")
"""Of 32 runs of 2,000 steps, 256 to 16,384 codewords: the last size takes as long as all before it."""
POINTS = 8
Timed = tuple[Run, dict[str, float]]


@cache
def recorded() -> list[Timed]:
    """Runs in the order in which they were made, with their timings."""
    planned = {(run.arm, str(run.config["seed"])): run for run in plan("simvq_ablation").runs}
    return [(planned[row["arm"], row["seed"]], seconds) for row, seconds in _timings(TIMINGS)]


def recorded_by_size() -> list[Timed]:
    """As `recorded`, of a suite that goes through the codebook sizes."""
    runs = [run for run in plan("codebook_scaling").runs if run.config["seed"] == 0]
    planned = {(run.arm, str(run.config["codebook_size"] or "")): run for run in runs}
    return [(planned[row["arm"], row["codebook_size"]], seconds) for row, seconds in _timings(BY_SIZE)]


def _timings(path: Path) -> list[tuple[dict[str, str], dict[str, float]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("train_seconds", "quantizer_share", "evaluate_seconds", "total_seconds")
    return [(row, {name: float(row[name]) for name in names if name in row}) for row in rows]


def committed(suite: str, first: str) -> list[Timed]:
    """The first seed of a suite's reference runs in the order of a sweep, of the commit that begins with ``first``."""
    cells = json.loads((REFERENCE / suite / "plan.json").read_text())["cells"]
    made: dict[str, Timed] = {}
    for cell in cells:
        if cell["key"] is None or cell["seed"] != 0:
            continue
        path = REFERENCE / suite / "runs" / cell["key"] / "record.json"
        record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"status": "missing"}
        if record["status"] == "ok" and record["provenance"]["commit"].startswith(first):
            config = record["config"]
            made[cell["key"]] = Run(cell["key"], record["arm"], suite, config, config["dataset"]), record["timings"]
    return sorted(made.values(), key=lambda one: one[0].config["codebook_size"] or 0)


def replayed(runs: Sequence[Timed], at_a_time: int) -> list[tuple[float, float, float | None]]:
    """Share of the time that has passed, what is left, and what the estimate says, at each piece of news."""
    rest, estimator = list(runs), Remaining([run for run, _ in runs])
    news: list[tuple[float, int, str, Run, int, dict[str, Any]]] = []
    number, asked = 0, []

    def start(now: float) -> None:
        nonlocal number
        run, timings = rest.pop(0)
        estimator.started(run, now)
        steps = run.config["training"]["steps"]
        begun = timings["total_seconds"] - timings["train_seconds"] - timings["evaluate_seconds"]
        record = {"status": "ok", "timings": timings}
        for point in range(1, POINTS + 1):
            at = now + max(0.0, begun) + timings["train_seconds"] * point / POINTS
            heapq.heappush(news, (at, number := number + 1, "progress", run, steps * point // POINTS, record))
        heapq.heappush(news, (now + timings["total_seconds"], number := number + 1, "ended", run, 0, record))

    for _ in range(min(at_a_time, len(rest))):
        start(0.0)
    while news:
        now, _, kind, run, step, record = heapq.heappop(news)
        if kind == "progress":
            estimator.progress(run.key, step, now)
        else:
            estimator.ended(run, now, record)
            if rest:
                start(now)
        asked.append((now, estimator.seconds(now)))
    end = asked[-1][0]
    return [(now / end, end - now, seconds) for now, seconds in asked]


@pytest.mark.parametrize(
    "timed",
    [
        recorded_by_size,
        partial(committed, "remedies", "52eb2"),  # the dearest arms last, eight times as dear as most
        partial(committed, "clustering_latents", "53845"),
        partial(committed, "latent_dimension", "43850"),
    ],
)
def test_after_a_third_the_rest_of_a_first_seed_is_foretold(timed: Callable[[], list[Timed]]) -> None:
    asked = replayed(timed(), 1)
    later = [(left, seconds) for share, left, seconds in asked if 1 / 3 <= share <= 0.9]
    assert len(later) > 20
    within = [seconds is not None and 1 / 1.5 <= seconds / left <= 1.5 for left, seconds in later]
    assert sum(within) / len(within) > 0.95, [round(seconds / left, 2) for left, seconds in later if seconds]


def test_what_a_dear_method_costs_is_what_was_measured() -> None:
    quantizer: dict[str, list[float]] = {}
    for path in (REFERENCE / "remedies" / "runs").glob("*/record.json"):
        record = json.loads(path.read_text())
        timings = record["timings"]
        seconds = timings["train_seconds"] * timings["quantizer_share"]
        quantizer.setdefault(record["config"]["method"], []).append(seconds)
    usual = median(quantizer["vq_vae"])
    for method, seconds in quantizer.items():
        times = median(seconds) / usual
        if method in DEAR:
            assert DEAR[method] == pytest.approx(times, rel=0.15), method
        else:
            assert times < 3, method


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
