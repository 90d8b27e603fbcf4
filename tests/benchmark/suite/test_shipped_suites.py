"""The suites of this project: valid, made with one protocol where they are evidence, and whole."""

import math
from pathlib import Path

import pytest

from benchmark.document import Document
from benchmark.suite.definition import Suite
from benchmark.suite.file import available_suites, find_suite
from benchmark.suite.plan import plan_suite
from benchmark.suite.tuning import Tuner
from methods import UsageError, available, get


@pytest.mark.parametrize("name", available_suites())
def test_every_shipped_suite_is_valid(name: str, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(images))
    plan = plan_suite(name)
    assert plan.runs or all(arm.pretrained for arm in plan.suite.file.methods)  # whose files nobody has here
    assert plan.suite.file.question.endswith("?")


EVIDENCE = (
    "codebook_scaling",
    "collapse_check",
    "combinations",
    "defaults",
    "equal_knobs",
    "generation",
    "generation_photos",
    "initial_collapse",
    "latent_dimension",
    "photo_scaling",
    "remedies",
    "residual_depth",
    "simvq_ablation",
    "training_length",
)
"""The suites of trained autoencoders that arms are compared by; `constant_rate` is the control of their schedule."""


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_is_made_with_one_protocol(name: str) -> None:
    suite = Suite(name, {}, tuned=False)
    training = suite.file.training
    assert (training.schedule, training.warmup_steps, training.clip_norm) == ("cosine", 50, 1.0)
    assert (training.final_share, training.optimizer, training.precision) == (0.0, "adam", "fp32")
    assert suite.file.seeds == 3
    assert suite.file.evaluation["training_codes"] is True
    # The longest length of `training_length`, or as many images.
    lengths = {training.steps} if training.steps else set(suite.file.grid.axes["training.steps"])
    assert max(lengths) == 16_000 or max(lengths) * training.batch_size == 16_000 * 32
    for arm in suite.arms.values():
        assert not arm.training.keys() & {"schedule", "steps", "warmup_steps", "clip_norm"}, arm.arm


@pytest.mark.parametrize("name", available_suites())
def test_what_is_tuned_has_its_response_beside_its_tables(name: str) -> None:
    content = Document(find_suite(name)).data
    if "tuning" in content or "tuned" in content:
        assert "response" in content.get("plots", ["response"])  # all that apply, where none is named


def test_a_suite_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODEBOOK_BENCH_DATA", raising=False)
    with pytest.raises(UsageError, match="name a folder of images by --data DIR .*; this suite needs ImageNet"):
        plan_suite("paper_image")


def test_smoke_has_every_method() -> None:
    own = [name for name in available() if get(name).__module__ == f"methods.{name}"]
    plan = plan_suite("smoke")
    assert sorted(arm.arm for arm in plan.arms) == own
    assert not [cell.arm for cell in plan.cells if cell.unavailable]


def test_remedies_are_all_methods_at_equal_bits_per_position() -> None:
    own = [name for name in available() if get(name).__module__ == f"methods.{name}"]
    plan = plan_suite("remedies")
    left_out = {"kmeans", "hqa", *(name for name in own if not get(name).bounded)}
    assert {arm.method for arm in plan.arms} == set(own) - left_out
    for arm in plan.arms:
        levels = get(arm.method).resolve_size(1024, **arm.params)
        assert not levels or math.log2(math.prod(levels)) == pytest.approx(10, rel=0.02), arm.arm


def test_trials_of_remedies_are_those_of_training_length() -> None:
    """What was tried there at 1,024 codewords is not tried again."""
    first, second = (
        Tuner(suite, {"tuning.codebook_sizes": [1024]}, ["simvq", "codebook_reset", "residual_vq"], "cpu").next_plan()
        for suite in ("remedies", "training_length")
    )
    assert first is not None
    assert second is not None
    assert [run.key for run in first.runs] == [run.key for run in second.runs]
