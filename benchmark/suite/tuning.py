"""The same tuning budget for every arm, by successive halving: short trials, the best few again, longer, in full."""

import csv
import io
import json
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.data import datasets
from benchmark.metrics import metrics
from benchmark.records.files import read_rows, write_atomic
from benchmark.records.run import Run, with_long_key
from benchmark.records.store import Store
from benchmark.suite.cell import Cell, check_any
from benchmark.suite.choices import Choice, Choices
from benchmark.suite.definition import Suite, suite_name
from benchmark.suite.file import find_suite
from benchmark.suite.plan import Plan, cell_at, plan_suite
from benchmark.suite.proposals import (
    Setting,
    at_the_end,
    first_settings,
    next_settings,
    to_try_in_full,
    to_try_longer,
)
from benchmark.suite.schema import Arm, SuiteFile
from methods import Knob, get

SEED = 1000
"""The first of all trials; no suite's own seeds reach it."""
_LONG = 2
"""The rung whose best setting is tried in full."""
A_ROUND = 3
"""Further trials of an arm at a time, before their results decide on more."""
TEST_ITEMS = 500
"""Test items of a trial, where the data set lets them be chosen: tuning looks at the validation set alone."""
COLUMNS = (
    "arm",
    "codebook_size",
    "rung",
    "steps",
    "seed",
    "learning_rate",
    "parameter",
    "value",
    "validation_error",
    "chosen",
    "key",
)


@dataclass
class Trial:
    """One run of a setting.

    ``rung``: 1 for a short one, 2 for a long one, 3 for one in full; ``error``: infinite unless it ended well.
    """

    setting: Setting
    rung: int
    seed: int
    run: Run | None = None
    error: float = math.inf


class Tuner:
    """The trials of one suite, round after round.

    Args:
        suite: a name or a file.
        overrides: of the suite's content, as for `plan_suite`.
        methods: arms to tune; all for none.
        device: kind of device.
        known: errors by key of runs that needn't be done again, from `known_errors`.

    Raises:
        UsageError: anything a person typed wrong.
    """

    def __init__(
        self,
        suite: str,
        overrides: dict[str, Any],
        methods: list[str],
        device: str,
        known: dict[str, float] | None = None,
    ) -> None:
        self._device, self._known = device, known or {}
        base = plan_suite(suite, overrides=overrides, methods=methods, device=device, tuned=False)
        self.name = base.suite.name.split("@")[0]
        self.arms = {arm.arm: base.suite.arm(arm.arm) for arm in base.arms if arm.pretrained is None}
        self.suite = Suite(suite, {**overrides, **_of_trials(base.suite.file)}, tuned=False)
        self.budget = self.suite.file.tuning
        self.trials: dict[tuple[str, int], list[Trial]] = {
            (arm, size): [] for size in self.budget.codebook_sizes for arm in self.arms
        }
        self.without: list[Cell] = []
        """Of trials that there can't be."""

    def knob(self, arm: str) -> Knob | None:
        """What is searched beside the learning rate: nothing where the suite sets the arm's knob itself."""
        knob = get(self.arms[arm].method).knob
        return None if knob is None or knob.parameter in self.arms[arm].params else knob

    def next_plan(self) -> Plan | None:
        """The runs of the next round, decided by the rounds before; None after the last.

        Raises:
            UsageError: no arm has any trial.
        """
        fresh = {at: self._next_trials(*at) for at in self.trials}
        if not any(fresh.values()):
            return None
        plan = Plan(self.suite)
        for (arm, size), trials in fresh.items():
            for number, trial in enumerate(trials):
                as_tried = self._arm(f"{arm}_trial{number}", self.arms[arm], trial)
                cell = cell_at(self.suite, as_tried, {}, size, trial.seed, self._device)
                trial.run = cell.run
                if cell.run is None:
                    self.without.append(replace(cell, arm=arm))
                elif cell.run.key not in self._known:
                    plan.cells.append(cell)
            self.trials[arm, size] += [trial for trial in trials if trial.run is not None]
        if not any(self.trials.values()):
            check_any(self.name, self.without)
        plan.keep_apart()
        for trial in (trial for trials in fresh.values() for trial in trials):
            if trial.run is not None and trial.run.key in plan.shared:
                trial.run = with_long_key(trial.run)
        return plan

    def learn(self, store: Store) -> None:
        """Read what has become of the trials."""
        for trials in self.trials.values():
            for trial in trials:
                assert trial.run is not None
                record = store.record(trial.run.key)
                error = record["metrics"].get("validation_error") if record and record["status"] == "ok" else None
                trial.error = self._known.get(trial.run.key, math.inf) if error is None else error

    def choices(self) -> Choices:
        """The setting of lowest mean error over the longest trials, of every arm at every size where any ended well."""
        arms: dict[str, list[Choice]] = {arm: [] for arm in self.arms}
        for (arm, size), trials in self.trials.items():
            means = _means(trials, self._rungs)
            best = min(means, key=lambda setting: (means[setting], setting), default=None)
            if best is None or not math.isfinite(means[best]):
                continue
            knob = self.knob(arm)
            tried = [trial.setting for trial in trials]
            in_full = means if self._rungs > _LONG else ()
            arms[arm].append(
                Choice(
                    codebook_size=size,
                    learning_rate=best.learning_rate,
                    params=best.params(knob),
                    validation_error=round(means[best], 6),
                    at_end=at_the_end(best, tried, knob, in_full),
                )
            )
        return self.empty_choices().model_copy(update={"arms": {arm: found for arm, found in arms.items() if found}})

    def without_choice(self, choices: Choices) -> list[tuple[str, int]]:
        """Arms and sizes that were tried and are not among ``choices``."""
        chosen = {(arm, choice.codebook_size) for arm, found in choices.arms.items() for choice in found}
        return [at for at, trials in self.trials.items() if trials and at not in chosen]

    def empty_choices(self) -> Choices:
        """The budget that every arm is given, without any choice yet."""
        short = len(self.budget.learning_rates) * 3 + self.budget.further
        longer = [self.budget.keep, 2][: self._rungs - 1]
        return Choices(
            suite=self.name,
            dataset=self.suite.file.dataset.name,
            schedule=self.suite.file.training.schedule,
            codebook_sizes=self.budget.codebook_sizes,
            steps=self.budget.steps,
            trials=[short, *(settings * self.budget.seeds for settings in longer)],
            seeds=self._long_seeds,
            arms={},
        )

    def rows(self, choices: Choices) -> list[dict[str, Any]]:
        """Every trial as a row of the columns `COLUMNS`."""
        rows = []
        for (arm, size), trials in self.trials.items():
            chosen = next((choice for choice in choices.arms.get(arm, []) if choice.codebook_size == size), None)
            knob = self.knob(arm)
            for trial in trials:
                params, rate = trial.setting.params(knob), trial.setting.learning_rate
                value = next(iter(params.values()), "")
                is_chosen = chosen is not None and (rate, params) == (chosen.learning_rate, chosen.params)
                where = [arm, size, trial.rung, self.budget.steps[trial.rung - 1], trial.seed, rate]
                tried = [next(iter(params), ""), json.dumps(value) if isinstance(value, dict) else value]
                outcome = [_shown(trial.error), int(is_chosen), trial.run.key if trial.run else ""]
                rows.append(dict(zip(COLUMNS, [*where, *tried, *outcome], strict=True)))
        return rows

    def _next_trials(self, arm: str, size: int) -> list[Trial]:
        trials = self.trials[arm, size]
        knob = self.knob(arm)
        first = first_settings(self.budget.learning_rates, knob)
        if not any(self.trials.values()):
            return [Trial(setting, 1, SEED) for setting in first]
        reached = max((trial.rung for trial in trials), default=self._rungs)
        if reached == self._rungs:
            return []
        if reached == _LONG:
            in_full = to_try_in_full(_means(trials, reached))
            return [Trial(setting, reached + 1, seed) for setting in in_full for seed in self._long_seeds]
        errors = {trial.setting: trial.error for trial in trials}
        if further := max(0, len(first) + self.budget.further - len(trials)):
            return [Trial(setting, 1, SEED) for setting in next_settings(errors, knob, min(A_ROUND, further))]
        longer = to_try_longer(errors, self.budget.keep)
        return [Trial(setting, _LONG, seed) for setting in longer for seed in self._long_seeds]

    @property
    def _rungs(self) -> int:
        return len(self.budget.steps)

    @property
    def _long_seeds(self) -> list[int]:
        return [SEED + index for index in range(self.budget.seeds)]

    def _arm(self, name: str, arm: Arm, trial: Trial) -> Arm:
        steps = self.budget.steps[trial.rung - 1]
        training = {**arm.training, "steps": steps, "learning_rate": trial.setting.learning_rate}
        params = {**arm.params, **trial.setting.params(self.knob(arm.arm))}
        return Arm(arm=name, method=arm.method, params=params, training=training)


def _of_trials(file: SuiteFile) -> dict[str, Any]:
    """What all trials override: the sizes, a length that is theirs, and the cheapest evaluation."""
    dataset = file.dataset.name
    overrides = {
        "grid": {"codebook_size": file.tuning.codebook_sizes},
        "training.steps": file.tuning.steps[-1],
        "evaluation": metrics.trait(datasets.trait(dataset, "modality"), "cheapest"),
    }
    return overrides | ({"dataset.test_items": TEST_ITEMS} if "test_items" in datasets.parameters(dataset) else {})


def choices_path(suite: str, overrides: dict[str, Any]) -> Path:
    """Where the choices for a suite are written: ``tuned/`` beside it; for an overridden protocol a file of its own."""
    file = find_suite(suite)
    return file.parent / "tuned" / f"{suite_name(file, overrides)}.yaml"


def known_errors(rows: list[dict[str, str]]) -> dict[str, float]:
    """Errors of trials that ended well, by the key of their run: what has the same key would end the same."""
    found = {}
    for row in rows:
        with suppress(KeyError, TypeError, ValueError):
            found[row["key"]] = float(row["validation_error"])
    return found


def write_response(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write all trials beside the choices; those of arms that are not among ``rows`` stay."""
    arms = {row["arm"] for row in rows}
    others = [row for row in read_rows(path) if row.get("arm") not in arms]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows([*others, *rows])
    write_atomic(path, text.getvalue())


def _means(trials: list[Trial], rung: int) -> dict[Setting, float]:
    """Mean error of each setting over its trials of one length."""
    errors: dict[Setting, list[float]] = {}
    for trial in trials:
        if trial.rung == rung:
            errors.setdefault(trial.setting, []).append(trial.error)
    return {setting: sum(values) / len(values) for setting, values in errors.items()}


def _shown(error: float) -> float | str:
    return round(error, 6) if math.isfinite(error) else ""
