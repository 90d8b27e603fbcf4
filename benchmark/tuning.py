"""The same tuning budget for every arm: learning rate by one declared knob, chosen by validation error."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.choices import Choice, Choices
from benchmark.config import EVALUATIONS, Arm
from benchmark.data import datasets
from benchmark.store import Store
from benchmark.suite import Plan, find_suite, plan_suite, suite_name
from methods import UsageError, get

SEED = 1000
"""Of all trials; no suite's own seeds reach it."""
KNOB_VALUES = 3


def plan_trials(
    suite: str, *, overrides: dict[str, Any], methods: list[str], device: str
) -> tuple[Plan, dict[str, list[Arm]]]:
    """The runs of all trials as one plan, and the trials of each arm.

    An arm without a knob spreads as many learning rates over the same range.
    """
    base = plan_suite(suite, overrides=overrides, methods=methods, device=device, tuned=False)
    tuning = base.file.tuning
    trials: dict[str, list[Arm]] = {}
    for arm in base.arms:
        trials[arm.arm] = list(_trials(arm, tuning.learning_rates, tuning.steps))
    budget = {
        "methods": [trial.model_dump() for arms in trials.values() for trial in arms],
        "grid": {"codebook_size": [tuning.codebook_size]},
        "evaluation": EVALUATIONS[datasets.trait(base.file.dataset.name, "modality")].CHEAPEST,
    }
    plan = plan_suite(suite, overrides={**overrides, **budget}, seeds=[SEED], device=device, tuned=False)
    return plan, trials


def _trials(arm: Arm, learning_rates: list[float], steps: int | None) -> Iterator[Arm]:
    knob = get(arm.method).knob
    length = {} if steps is None else {"steps": steps}
    settings: list[tuple[float, dict[str, Any]]]
    if knob is None:
        settings = [(rate, {}) for rate in _spread(learning_rates, len(learning_rates) * KNOB_VALUES)]
    else:
        assert len(knob.values) == KNOB_VALUES, f"{arm.method}: a knob has {KNOB_VALUES} values"
        settings = [(rate, {knob.parameter: value}) for rate, value in itertools.product(learning_rates, knob.values)]
    for number, (rate, params) in enumerate(settings):
        training = {**arm.training, **length, "learning_rate": rate}
        yield Arm(arm=f"{arm.arm}_trial{number}", method=arm.method, params={**arm.params, **params}, training=training)


def _spread(learning_rates: list[float], count: int) -> list[float]:
    """``count`` learning rates over the range of ``learning_rates``, evenly in the logarithm."""
    low, high = math.log(min(learning_rates)), math.log(max(learning_rates))
    return [math.exp(low + (high - low) * index / (count - 1)) for index in range(count)]


def budget_of(plan: Plan, trials: dict[str, list[Arm]]) -> Choices:
    """What every arm is given, without any choice yet."""
    tuning = plan.file.tuning
    return Choices(
        suite=plan.suite.split("@")[0],
        dataset=plan.file.dataset.name,
        codebook_size=tuning.codebook_size,
        steps=tuning.steps or plan.file.training.steps,
        trials=len(next(iter(trials.values()))),
        seed=SEED,
        arms={},
    )


def choose(plan: Plan, trials: dict[str, list[Arm]], store: Store) -> dict[str, Choice]:
    """The trial of lowest validation error for every arm.

    Raises:
        UsageError: an arm has no trial that ended well.
    """
    chosen: dict[str, Choice] = {}
    runs = {cell.arm: cell.run for cell in plan.cells if cell.run is not None}
    for name, arms in trials.items():
        results = []
        for trial in arms:
            record = store.record(runs[trial.arm].key) if trial.arm in runs else None
            if record is not None and record["status"] == "ok" and record["metrics"]["validation_error"] is not None:
                results.append((record["metrics"]["validation_error"], trial))
        if not results and any(trial.arm in runs for trial in arms):
            raise UsageError(f"no trial of the arm `{name}` ended well; `python -m benchmark status` says why")
        if results:
            error, best = min(results, key=lambda result: result[0])
            knob = get(best.method).knob
            params = {} if knob is None else {knob.parameter: best.params[knob.parameter]}
            chosen[name] = Choice(
                learning_rate=best.training["learning_rate"], params=params, validation_error=round(error, 6)
            )
    return chosen


def at_the_end(trials: list[Arm], choice: Choice) -> list[str]:
    """Settings of ``choice`` that are the first or last of those tried, beyond which a better one may lie."""
    rates = sorted({trial.training["learning_rate"] for trial in trials})
    found = ["learning rate"] if choice.learning_rate in (rates[0], rates[-1]) else []
    knob = get(trials[0].method).knob
    if knob is not None and choice.params[knob.parameter] in (knob.values[0], knob.values[-1]):
        found.append(knob.parameter)
    return found


def choices_path(suite: str, overrides: dict[str, Any]) -> Path:
    """Where the choices for a suite are written: ``tuned/`` beside it; for an overridden protocol a file of its own."""
    file = find_suite(suite)
    return file.parent / "tuned" / f"{suite_name(file, overrides)}.yaml"
