"""Priors that can't begin, are stopped or end badly: what is said, done again and recorded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.priors.training import PriorTrainer, labels_of
from benchmark.records.record import read_record
from benchmark.records.run import WEIGHTS
from benchmark.records.store import CHECKPOINT, Store
from benchmark.suite.plan import Plan
from benchmark.sweep.runner import Outcome
from methods import UsageError

pytest.importorskip("x_transformers", reason="needs x-transformers, of the extra [generation]")
Sweep = Callable[[Plan, Store], Outcome]


def test_missing_labels_are_one_sentence(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="have no labels that a prior could be told"):
        labels_of(dataset)


def test_a_missing_or_foreign_tokenizer_is_said_and_made_again(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Sweep
) -> None:
    plan = second_stage(methods=["vq_vae"])
    store = Store(tmp_path / "results")
    tokenizer, prior = plan.runs
    run(plan, store)
    expected = read_record(store.record_path(prior.key))["metrics"]
    # Weights that are no longer what the run wrote: the tokenizer is trained again, and the prior stays.
    (store.run_folder(tokenizer.key) / WEIGHTS).write_bytes(b"other")
    store.record_path(prior.key).unlink()
    outcome = run(plan, store)
    assert outcome.failed == []
    assert read_record(store.record_path(prior.key))["metrics"] == expected

    # A prior whose tokenizer did not end well has no turn.
    record = read_record(store.record_path(tokenizer.key))
    store.write_record(tokenizer.key, {**record, "status": "diverged", "reason": "planted"})
    store.record_path(prior.key).unlink()
    outcome = run(plan, store)
    assert outcome.failed == [tokenizer.key]
    assert store.record(prior.key) is None


def test_a_prior_that_is_stopped_goes_on_to_the_record_of_one_that_is_not(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = second_stage(methods=["vq_vae"])
    prior, whole, parts = plan.runs[-1], Store(tmp_path / "whole"), Store(tmp_path / "parts")
    assert run(plan, whole).failed == []
    done: list[int] = []
    usual = PriorTrainer.step

    def step(trainer: PriorTrainer, number: int) -> dict[str, Tensor]:
        done.append(number)
        trainer.stop_requested = len(done) == 2
        return usual(trainer, number)

    monkeypatch.setattr(PriorTrainer, "step", step)
    run(plan, parts)
    assert done == [0, 1]
    assert parts.record(prior.key) is None
    assert (parts.run_folder(prior.key) / CHECKPOINT).is_file()
    assert run(plan, parts).failed == []
    assert done == [0, 1, 2, 3]
    ours, theirs = (read_record(store.record_path(prior.key)) for store in (parts, whole))
    assert ours["metrics"] == theirs["metrics"]
    assert ours["files"]["generated.png"] == theirs["files"]["generated.png"]


def test_the_checkpoint_of_another_prior_is_said_and_left(
    second_stage: Callable[..., Plan], tmp_path: Path, run: Sweep, caplog: pytest.LogCaptureFixture
) -> None:
    prior = second_stage(methods=["vq_vae"]).runs[-1]
    plan, store = second_stage({"sampling": {"images": 9}}, methods=["vq_vae"]), Store(tmp_path / "results")
    state = {"run": prior.key, "random": [torch.get_rng_state()]}
    torch.save(state, store.run_folder(plan.runs[-1].key) / CHECKPOINT)
    assert run(plan, store).failed == []
    assert f"it is of another run, {prior.key}; training starts again" in caplog.text


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"steps": 4}, "the loss was not finite at step 2"),
        ({"steps": 1, "schedule": "constant"}, "the likelihood was not finite after step 1"),
    ],
)
def test_a_prior_whose_weights_are_not_finite_has_diverged(
    second_stage: Callable[..., Plan],
    tmp_path: Path,
    run: Sweep,
    monkeypatch: pytest.MonkeyPatch,
    training: dict[str, Any],
    reason: str,
) -> None:
    usual = PriorTrainer.step

    def step(trainer: PriorTrainer, number: int) -> dict[str, Tensor]:
        terms = usual(trainer, number)
        torch.nn.init.constant_(trainer.prior.first.weight, torch.nan)  # type: ignore[arg-type, union-attr]
        return terms

    monkeypatch.setattr(PriorTrainer, "step", step)
    plan, store = second_stage({"training": {**training, "batch_size": 8}}, methods=["vq_vae"]), Store(tmp_path / "r")
    prior = plan.runs[-1]
    assert run(plan, store).failed == [prior.key]
    record = read_record(store.record_path(prior.key))
    assert (record["status"], record["reason"]) == ("diverged", reason)
