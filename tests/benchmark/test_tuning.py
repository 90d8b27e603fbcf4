"""The same budget for every arm, chosen by validation error and by nothing else."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.choices import Choice, apply_choice, chosen_before, read_choices, write_choices
from benchmark.config import Arm
from benchmark.plan_file import write_plan
from benchmark.store import Store
from benchmark.suite import plan_suite
from benchmark.tuning import SEED, at_the_end, budget_of, choices_path, choose, plan_trials
from benchmark.worker_job import empty_record
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]


def test_every_arm_gets_as_many_trials_with_the_seed_of_tuning(tiny: dict[str, object], write_suite: Write) -> None:
    suite = write_suite({**tiny, "methods": ["vq_vae", "simvq", "no_quantization"]})
    plan, trials = plan_trials(suite, overrides={}, methods=[], device="cpu")
    assert {name: len(arms) for name, arms in trials.items()} == {"vq_vae": 9, "simvq": 9, "no_quantization": 9}
    assert {run.config["seed"] for run in plan.runs} == {SEED}
    assert {run.config["codebook_size"] for run in plan.runs} == {1024, None}
    settings = {(arm.training["learning_rate"], arm.params["beta"]) for arm in trials["vq_vae"]}
    assert settings == {(rate, beta) for rate in (3e-4, 1e-3, 3e-3) for beta in (0.1, 0.25, 1.0)}
    rates = [arm.training["learning_rate"] for arm in trials["no_quantization"]]
    assert rates[0] == pytest.approx(3e-4)
    assert rates[-1] == pytest.approx(3e-3)
    assert rates == sorted(set(rates))


def test_the_choice_is_the_lowest_validation_error_whatever_the_usage(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    plan, trials = plan_trials(write_suite(tiny), overrides={}, methods=["vq_vae"], device="cpu")
    store = Store(tmp_path / "results")
    for number, run in enumerate(sorted(plan.runs, key=lambda run: run.arm)):
        status = "diverged" if number == 1 else "ok"
        error = abs(number - 4) + (number == 4) * 0.5 if number != 2 else math.nan
        metrics = {"validation_error": error, "usage": float(number == 0)}
        store.write_record(run.key, {**empty_record(run), "status": status, "metrics": metrics})
    chosen = choose(plan, trials, store)
    assert chosen["vq_vae"].validation_error == 0.5
    assert chosen["vq_vae"].learning_rate == trials["vq_vae"][4].training["learning_rate"]
    assert at_the_end(trials["vq_vae"], chosen["vq_vae"]) == []
    first = chosen["vq_vae"].model_copy(update={"learning_rate": 3e-4, "params": {"beta": 1.0}})
    assert at_the_end(trials["vq_vae"], first) == ["learning rate", "beta"]
    path = tmp_path / "tuned" / "tiny.yaml"
    choices = budget_of(plan, trials).model_copy(update={"arms": chosen})
    write_choices(path, choices)
    assert read_choices(path) == choices


def test_what_the_suite_says_of_an_arm_stands_over_the_choice(tmp_path: Path) -> None:
    path = tmp_path / "tuned.yaml"
    path.write_text(
        "suite: s\ndataset: d\ncodebook_size: 8\nsteps: 1\ntrials: 9\nseed: 1000\narms:\n"
        "  a: {learning_rate: 0.003, params: {beta: 1.0}, validation_error: 0.1}\n".replace("\\\n", "\n")
    )
    choices = read_choices(path)
    free = apply_choice(Arm(arm="a", method="vq_vae"), choices)
    assert (free.training, free.params) == ({"learning_rate": 0.003}, {"beta": 1.0})
    fixed = apply_choice(Arm(arm="a", method="vq_vae", params={"beta": 0.25}, training={"learning_rate": 1.0}), choices)
    assert (fixed.training, fixed.params) == ({"learning_rate": 1.0}, {"beta": 0.25})
    other = Arm(arm="b", method="vq_vae")
    assert apply_choice(other, choices) is other


def test_missing_or_broken_choices_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is missing; `python -m benchmark tune` writes it"):
        read_choices(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("suite: s\n")
    with pytest.raises(UsageError, match="write it anew with `tune`"):
        read_choices(tmp_path / "bad.yaml")


def test_choices_stand_beside_those_of_the_same_budget_only(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    suite, path = write_suite(tiny), tmp_path / "tuned.yaml"
    budget = budget_of(*plan_trials(suite, overrides={}, methods=["vq_vae"], device="cpu"))
    assert chosen_before(path, budget) == {}
    simvq = Choice(learning_rate=0.1, validation_error=1.0)
    write_choices(path, budget.model_copy(update={"arms": {"simvq": simvq}}))
    assert chosen_before(path, budget) == {"simvq": simvq}
    longer = budget_of(*plan_trials(suite, overrides={"tuning.steps": 7}, methods=["vq_vae"], device="cpu"))
    with pytest.raises(UsageError, match="holds choices of another budget"):
        chosen_before(path, longer)


def test_an_overridden_protocol_has_choices_of_its_own(tiny: dict[str, object], write_suite: Write) -> None:
    suite = write_suite(tiny)
    assert choices_path(suite, {"tuning.steps": 7}).name == "tiny.yaml"
    assert choices_path(suite, {"training.batch_size": 4}).name == "tiny@training.batch_size=4.yaml"


def test_a_plan_calls_tuned_only_what_is_as_tuning_chose(
    tiny: dict[str, object], write_suite: Write, tmp_path: Path
) -> None:
    fixed = {"arm": "fixed", "method": "vq_vae", "params": {"beta": 0.3}}
    whole = {**fixed, "arm": "whole", "training": {"learning_rate": 0.05}}
    suite = write_suite({**tiny, "methods": ["vq_vae", fixed, whole], "tuned": "tuned/tiny.yaml"})
    choice = Choice(learning_rate=0.01, params={"beta": 1.0}, validation_error=1.0)
    empty = budget_of(*plan_trials(suite, overrides={}, methods=["vq_vae"], device="cpu"))
    arms = dict.fromkeys(("vq_vae", "fixed", "whole", "rotation_trick"), choice)
    write_choices(choices_path(suite, {}), empty.model_copy(update={"arms": arms}))
    store = Store(tmp_path / "results")
    write_plan(plan_suite(suite, methods=["vq_vae", "fixed", "whole", "rotation_trick"]), store)
    arms = json.loads((store.folder / "plan.json").read_text())["arms"]
    assert {arm["arm"]: arm["tuned"] for arm in arms} == {
        "vq_vae": {"learning_rate": 0.01, "beta": 1.0},
        "fixed": {"learning_rate": 0.01},
        "whole": False,
        "rotation_trick": {"learning_rate": 0.01, "beta": 1.0},
    }
