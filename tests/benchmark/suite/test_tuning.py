"""The same budget for every arm, chosen by validation error and by nothing else."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.files import read_rows
from benchmark.records.record import empty_record
from benchmark.records.store import Store
from benchmark.suite.choices import Choice, Choices, apply_choice, chosen_before, read_choices, write_choices
from benchmark.suite.plan import Plan, plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.suite.schema import Arm
from benchmark.suite.tuning import SEED, Tuner, choices_path, known_errors, write_response
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
TUNING = {"codebook_sizes": [8, 16], "steps": [4, 6], "further": 4, "keep": 2, "learning_rates": [1e-3, 3e-3, 1e-2]}


def _tuner(suite: str, methods: list[str], **overrides: Any) -> Tuner:
    return Tuner(suite, overrides, methods, "cpu")


def _play(tuner: Tuner, store: Store, error: Callable[[dict[str, Any]], float]) -> list[Plan]:
    """Go through all rounds with invented errors of a run's configuration; the plans of the rounds."""
    rounds = []
    while (plan := tuner.next_plan()) is not None:
        rounds.append(plan)
        for run in plan.runs:
            status = "ok" if math.isfinite(error(run.config)) else "diverged"
            metrics = {"validation_error": error(run.config) if status == "ok" else None, "usage": 0.0}
            store.write_record(run.key, {**empty_record(run), "status": status, "metrics": metrics})
        tuner.learn(store)
    return rounds


def _bowl(config: dict[str, Any]) -> float:
    """Best at a rate of 0.01, the end of the first trials, and a beta of 0.25; at 16 codewords at a beta of 3."""
    rate, beta = math.log10(config["training"]["learning_rate"]), math.log10(config["params"].get("beta", 0.25))
    best = math.log10(0.25) if config["codebook_size"] != 16 else math.log10(3)
    return 1 + (rate + 2) ** 2 + (beta - best) ** 2 + 0.001 * config["seed"] / SEED


def test_every_arm_spends_the_same_trials_in_rounds(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite = write_suite({**tiny, "tuning": TUNING})
    tuner = _tuner(suite, ["vq_vae", "simvq", "no_quantization"])
    rounds = _play(tuner, Store(tmp_path / "results"), _bowl)
    assert len(rounds) == 4
    for (arm, _), trials in tuner.trials.items():
        assert [trial.rung for trial in trials] == [1] * 13 + [2] * 4, arm
        assert {trial.seed for trial in trials if trial.rung == 2} == {SEED, SEED + 1}
        assert len({trial.setting for trial in trials}) == 13
    assert {run.config["training"]["steps"] for run in rounds[0].runs} == {4}
    assert {run.config["training"]["steps"] for run in rounds[-1].runs} == {6}
    assert rounds[0].runs[0].config["evaluation"] == {"features": None, "lpips": []}
    assert tuner.empty_choices().trials == [13, 4]


def test_the_choice_is_the_lowest_validation_error_at_each_size(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite, store = write_suite({**tiny, "tuning": TUNING}), Store(tmp_path / "results")
    tuner = _tuner(suite, ["vq_vae"])
    _play(tuner, store, _bowl)
    small, large = tuner.choices().arms["vq_vae"]
    assert (small.codebook_size, small.learning_rate, small.params, small.at_end) == (8, 0.01, {"beta": 0.25}, [])
    assert (large.codebook_size, large.learning_rate, large.params) == (16, 0.01, {"beta": 3.0})
    path = choices_path(suite, {})
    write_choices(path, tuner.choices())
    assert read_choices(path) == tuner.choices()
    write_response(path.with_suffix(".csv"), tuner.rows(tuner.choices()))
    with path.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 17
    chosen = [row for row in rows if row["chosen"] == "1" and row["rung"] == "2"]
    assert {(row["codebook_size"], row["learning_rate"], row["value"]) for row in chosen} == {
        ("8", "0.01", "0.25"),
        ("16", "0.01", "3.0"),
    }


def test_trials_that_are_written_down_are_not_run_again(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite, path = write_suite({**tiny, "tuning": TUNING}), tmp_path / "tuned.csv"
    first = _tuner(suite, ["vq_vae"])
    _play(first, Store(tmp_path / "first"), _bowl)
    write_response(path, first.rows(first.choices()))
    known = known_errors(read_rows(path))
    assert len(known) == 2 * 17
    again = Tuner(suite, {}, ["vq_vae"], "cpu", known)
    rounds = _play(again, Store(tmp_path / "second"), _bowl)
    assert [plan.runs for plan in rounds] == [[]] * 4
    assert again.choices() == first.choices()
    (tmp_path / "bad.csv").write_text("arm,key\nvq_vae\n")
    assert known_errors(read_rows(tmp_path / "bad.csv")) == {}


def test_what_did_not_end_well_is_never_chosen_and_an_arm_without_any_is_left_out(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite = write_suite({**tiny, "tuning": {**TUNING, "codebook_sizes": [8]}})

    def error(config: dict[str, Any]) -> float:
        broken = config["method"] == "simvq" or config["training"]["learning_rate"] > 0.005
        return math.inf if broken else _bowl(config)

    tuner = _tuner(suite, ["vq_vae", "simvq"])
    _play(tuner, Store(tmp_path / "results"), error)
    choices = tuner.choices()
    assert list(choices.arms) == ["vq_vae"]
    assert choices.arms["vq_vae"][0].learning_rate == 0.003
    rows = tuner.rows(choices)
    assert {row["validation_error"] for row in rows if row["arm"] == "simvq"} == {""}


def test_a_knob_that_the_suite_sets_is_not_searched(tiny: dict[str, object], write_suite: Write) -> None:
    fixed = {"arm": "fixed", "method": "vq_vae", "params": {"beta": 0.3}}
    tuner = _tuner(write_suite({**tiny, "methods": [fixed], "tuning": TUNING}), [])
    plan = tuner.next_plan()
    assert plan is not None
    assert {run.config["params"]["beta"] for run in plan.runs} == {0.3}
    assert len(plan.runs) == 2 * 9


def test_arms_that_meet_in_a_trial_share_its_run(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> None:
    fixed = {"arm": "fixed", "method": "vq_vae", "params": {"beta": 1.0}}
    budget = {**TUNING, "codebook_sizes": [8], "further": 0, "keep": 1}
    tuner = _tuner(write_suite({**tiny, "methods": ["vq_vae", fixed], "tuning": budget}), [])
    first, *_ = _play(tuner, Store(tmp_path / "results"), _bowl)
    assert (len(first.cells), len(first.runs)) == (9 + 9, 9 + 9 - 3)
    trials = [trial for found in tuner.trials.values() for trial in found]
    keys = {trial.run.key for trial in trials if trial.run is not None}
    assert all(math.isfinite(trial.error) for trial in trials)
    assert len(trials) == 2 * (9 + 2) > len(keys)
    assert len({(trial.run.key, trial.error) for trial in trials if trial.run is not None}) == len(keys)
    assert list(tuner.choices().arms) == ["vq_vae", "fixed"]


def _choices(**arms: list[Choice]) -> Choices:
    return Choices(
        suite="s",
        dataset="d",
        schedule="constant",
        codebook_sizes=[1024, 16384],
        steps=[1, 2],
        trials=[9, 2],
        seeds=[1000],
        arms=arms,
    )


def test_what_the_suite_says_of_an_arm_stands_over_the_choice_of_the_nearest_size() -> None:
    low = Choice(codebook_size=1024, learning_rate=0.003, params={"beta": 1.0}, validation_error=0.1)
    high = Choice(codebook_size=16384, learning_rate=0.01, params={"beta": 3.0}, validation_error=0.1)
    choices = _choices(a=[low, high])
    for size, rate in ((1, 0.003), (4096, 0.003), (4097, 0.01), (65536, 0.01)):
        assert apply_choice(Arm(arm="a", method="vq_vae"), choices, size).training == {"learning_rate": rate}
    free = apply_choice(Arm(arm="a", method="vq_vae"), choices, 1024)
    assert (free.training, free.params) == ({"learning_rate": 0.003}, {"beta": 1.0})
    own = Arm(arm="a", method="vq_vae", params={"beta": 0.25}, training={"learning_rate": 1.0})
    fixed = apply_choice(own, choices, 1024)
    assert (fixed.training, fixed.params) == ({"learning_rate": 1.0}, {"beta": 0.25})
    other = Arm(arm="b", method="vq_vae")
    assert apply_choice(other, choices, 1024) is other


def test_missing_broken_or_foreign_choices_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is missing; `python -m benchmark tune` writes it"):
        read_choices(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("suite: s\n")
    with pytest.raises(UsageError, match="write it anew with `tune`"):
        read_choices(tmp_path / "bad.yaml")
    write_choices(tmp_path / "constant.yaml", _choices())
    with pytest.raises(UsageError, match="chosen with the schedule constant, and the suite trains with cosine"):
        read_choices(tmp_path / "constant.yaml", "cosine")


def test_choices_stand_beside_those_of_the_same_budget_only(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite, path = write_suite({**tiny, "tuning": TUNING}), tmp_path / "tuned.yaml"
    budget = _tuner(suite, ["vq_vae"]).empty_choices()
    assert chosen_before(path, budget) == {}
    simvq = [Choice(codebook_size=8, learning_rate=0.1, validation_error=1.0)]
    write_choices(path, budget.model_copy(update={"arms": {"simvq": simvq}}))
    assert chosen_before(path, budget) == {"simvq": simvq}
    with pytest.raises(UsageError, match="holds choices of another budget"):
        chosen_before(path, _tuner(suite, ["vq_vae"], **{"tuning.keep": 1}).empty_choices())
    row = {"arm": "vq_vae", "codebook_size": 8, "chosen": 1}
    write_response(tmp_path / "tuned.csv", [{**row, "arm": "simvq"}, row])
    write_response(tmp_path / "tuned.csv", [{**row, "codebook_size": 9}])
    assert (tmp_path / "tuned.csv").read_text().splitlines()[1:] == ["simvq,8,,,,,,,,1,", "vq_vae,9,,,,,,,,1,"]


def test_an_overridden_protocol_has_choices_of_its_own(tiny: dict[str, object], write_suite: Write) -> None:
    suite = write_suite(tiny)
    assert choices_path(suite, {"tuning.steps": [7, 8]}).name == "tiny.yaml"
    assert choices_path(suite, {"training.batch_size": 4}).name == "tiny@training.batch_size=4.yaml"


def test_a_plan_calls_tuned_only_what_is_as_tuning_chose_and_carries_the_trials(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    fixed = {"arm": "fixed", "method": "vq_vae", "params": {"beta": 0.3}}
    whole = {**fixed, "arm": "whole", "training": {"learning_rate": 0.05}}
    suite = write_suite({**tiny, "methods": ["vq_vae", fixed, whole], "tuned": "tuned/tiny.yaml"})
    low = Choice(codebook_size=1024, learning_rate=0.01, params={"beta": 1.0}, validation_error=1.0)
    high = low.model_copy(update={"codebook_size": 2048, "learning_rate": 0.03, "at_end": ["learning_rate"]})
    arms = {"vq_vae": [low], "fixed": [low], "whole": [low], "rotation_trick": [low, high]}
    path = choices_path(suite, {})
    write_choices(path, _choices(**arms))
    write_response(path.with_suffix(".csv"), [{"arm": "vq_vae"}])
    store = Store(tmp_path / "results")
    write_plan(plan_suite(suite, methods=["vq_vae", "fixed", "whole", "rotation_trick"]), store)
    arms = json.loads((store.folder / "plan.json").read_text())["arms"]
    assert {arm["arm"]: arm["tuned"] for arm in arms} == {
        "vq_vae": {"learning_rate": 0.01, "beta": 1.0},
        "fixed": {"learning_rate": 0.01},
        "whole": False,
        "rotation_trick": {
            "learning_rate": {"K = 1,024": 0.01, "K = 2,048": 0.03},
            "beta": {"K = 1,024": 1.0, "K = 2,048": 1.0},
        },
    }
    assert [arm.get("at_end") for arm in arms] == [None, None, None, ["learning_rate"]]
    assert (store.folder / "tuning.csv").read_bytes() == path.with_suffix(".csv").read_bytes()
