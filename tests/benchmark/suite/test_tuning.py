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


def test_the_best_is_tried_in_full_and_half_a_decade_below(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite = write_suite({**tiny, "tuning": {**TUNING, "codebook_sizes": [8], "steps": [4, 6, 8]}})

    def error(config: dict[str, Any]) -> float:
        """A rate of 0.01 is best, but in full one of 0.003; in full nothing ends well without a quantizer."""
        if config["training"]["steps"] == 8 and config["method"] == "no_quantization":
            return math.inf
        return _bowl(config) - 0.5 * (config["training"]["steps"] == 8 and config["training"]["learning_rate"] == 0.003)

    tuner = _tuner(suite, ["vq_vae", "no_quantization"])
    rounds = _play(tuner, Store(tmp_path / "results"), error)
    assert {run.config["training"]["steps"] for run in rounds[-1].runs} == {8}
    for (arm, _), trials in tuner.trials.items():
        assert [trial.rung for trial in trials] == [1] * 13 + [2] * 4 + [3] * 4, arm
        in_full = [trial.setting.learning_rate for trial in trials if trial.rung == 3]
        assert in_full == [0.01, 0.01, 0.003, 0.003]
    choices = tuner.choices()
    assert list(choices.arms) == ["vq_vae"]
    [choice] = choices.arms["vq_vae"]
    assert (choice.learning_rate, choice.params, choice.at_end) == (0.003, {"beta": 0.25}, ["learning_rate"])
    assert choices.trials == [13, 4, 4]
    assert "the best of these and half a decade below its rate for 8 (4 trials), seeds of their own" in choices.sentence


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
        dataset="image_folder",
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
    write_choices(tmp_path / "folder.yaml", _choices())
    with pytest.raises(UsageError, match="chosen on the data set image_folder, and the suite trains on mnist"):
        read_choices(tmp_path / "folder.yaml", "mnist")


@pytest.mark.parametrize(
    ("training", "grid", "arm"),
    [
        ({"schedule": "cosine"}, {}, {}),
        ({}, {"training.schedule": ["constant", "cosine"]}, {}),
        ({}, {}, {"training": {"schedule": "cosine"}}),
        ({}, {}, {"training": {"schedule": "cosine", "learning_rate": 0.1}}),
    ],
)
def test_a_choice_for_another_schedule_is_one_sentence_wherever_the_schedule_stands(
    tiny: dict[str, Any], write_suite: Write, training: dict[str, Any], grid: dict[str, Any], arm: dict[str, Any]
) -> None:
    suite = {**tiny, "training": {"steps": 6, **training}, "grid": {**tiny["grid"], **grid}, "tuned": "tuned/tiny.yaml"}
    file = write_suite({**suite, "methods": [{"method": "vq_vae", **arm}, "simvq"]})
    low = Choice(codebook_size=8, learning_rate=0.01, params={"beta": 1.0}, validation_error=1.0)
    write_choices(choices_path(file, {}), _choices(vq_vae=[low]))
    said = "arm `vq_vae`: .*tiny.yaml was chosen with the schedule constant, and the arm trains with cosine: what"
    with pytest.raises(UsageError, match=said) as caught:
        plan_suite(file)
    assert "\n" not in str(caught.value)
    write_choices(choices_path(file, {}), _choices(cvq_vae=[low]))
    assert plan_suite(file).runs


def test_an_arm_whose_settings_the_suite_gives_itself_takes_nothing_from_choices_of_another_schedule(
    tiny: dict[str, Any], write_suite: Write
) -> None:
    own = {"params": {"beta": 0.3}, "training": {"schedule": "cosine", "learning_rate": 0.1}}
    file = write_suite({**tiny, "methods": [{"method": "vq_vae", **own}], "tuned": "tuned/tiny.yaml"})
    low = Choice(codebook_size=8, learning_rate=0.01, params={"beta": 1.0}, validation_error=1.0)
    write_choices(choices_path(file, {}), _choices(vq_vae=[low]))
    plan = plan_suite(file)
    assert {run.config["training"]["learning_rate"] for run in plan.runs} == {0.1}
    assert plan.untuned == []


def test_arms_that_the_choices_lack_are_said(tiny: dict[str, Any], write_suite: Write) -> None:
    low = Choice(codebook_size=8, learning_rate=0.01, params={"beta": 1.0}, validation_error=1.0)
    whole = {"arm": "whole", "method": "vq_vae", "training": {"learning_rate": 0.05}}
    methods = ["vq_vae", "simvq", "cvq_vae", whole, "no_quantization"]
    file = write_suite({**tiny, "methods": methods, "tuned": "tuned/tiny.yaml"})
    path = choices_path(file, {})
    write_choices(path, _choices(vq_vae=[low]))
    [sentence] = plan_suite(file).untuned
    assert sentence == (
        f"{path} has no choice for simvq, cvq_vae: these arms are untuned and not ranked; "
        "`python -m benchmark tune s --methods simvq,cvq_vae` chooses for them"
    )
    [sentence] = plan_suite(file, methods=["vq_vae", "cvq_vae"]).untuned
    assert "no choice for cvq_vae: this arm is untuned" in sentence
    assert plan_suite(file, methods=["vq_vae"]).untuned == []
    assert plan_suite(file, overrides={"tuned": None}).untuned == []


def test_arms_without_a_choice_at_a_size_that_was_tried_are_counted(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    tuner = _tuner(write_suite({**tiny, "tuning": TUNING}), ["vq_vae", "simvq"])

    def error(config: dict[str, Any]) -> float:
        return math.inf if config["method"] == "simvq" and config["codebook_size"] == 16 else _bowl(config)

    _play(tuner, Store(tmp_path / "results"), error)
    assert tuner.without_choice(tuner.choices()) == [("simvq", 16)]


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"learning_rates": [1e-3, 1e-3]}, "a learning rate stands there twice, and no trial is made twice"),
        ({"steps": [6, 4]}, "steps grow from a short trial to the longest, not 6, 4"),
        ({"steps": [4, 6, 5]}, "steps grow from a short trial to the longest, not 4, 6, 5"),
        ({"codebook_sizes": [8, 8]}, "codebook size 8 stands there twice"),
    ],
)
def test_a_budget_that_can_not_be_counted_is_one_sentence(
    tiny: dict[str, Any], write_suite: Write, budget: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        _tuner(write_suite({**tiny, "tuning": {**TUNING, **budget}}), [])


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
    high = low.model_copy(update={"codebook_size": 16384, "learning_rate": 0.03, "at_end": ["learning_rate", "beta"]})
    ends = low.model_copy(update={"at_end": ["beta", "learning_rate"]})
    arms = {"vq_vae": [low], "fixed": [ends], "whole": [ends], "rotation_trick": [low, high], "simvq": [ends, high]}
    path = choices_path(suite, {})
    write_choices(path, _choices(**arms))
    write_response(path.with_suffix(".csv"), [{"arm": "vq_vae"}])
    store = Store(tmp_path / "results")
    write_plan(plan_suite(suite, methods=[*arms]), store)
    arms = json.loads((store.folder / "plan.json").read_text())["arms"]
    both = {
        "learning_rate": {"K = 1,024": 0.01, "K = 16,384": 0.03},
        "beta": {"K = 1,024": 1.0, "K = 16,384": 1.0},
    }
    assert {arm["arm"]: arm["tuned"] for arm in arms} == {
        "vq_vae": {"learning_rate": {"K = 1,024": 0.01}, "beta": {"K = 1,024": 1.0}},
        "fixed": {"learning_rate": {"K = 1,024": 0.01}},
        "whole": False,
        "rotation_trick": both,
        "simvq": both,
    }
    assert [arm.get("at_end") for arm in arms] == [
        None,
        ["learning_rate"],
        None,
        ["learning_rate (K = 16,384)", "beta (K = 16,384)"],
        ["beta", "learning_rate"],
    ]
    assert (store.folder / "tuning.csv").read_bytes() == path.with_suffix(".csv").read_bytes()
