"""Suites of speech: what they have where they say nothing, and what their metrics can be asked."""

from collections.abc import Callable

import pytest

from benchmark.suite.plan import plan_suite
from methods.core.usage import UsageError

Write = Callable[[dict[str, object] | str], str]


def content(**changes: object) -> dict[str, object]:
    return {
        "question": "Does it run?",
        "dataset": "festvox_ru",
        "training": {"steps": 10},
        "grid": {"codebook_size": [8]},
        "methods": ["simvq"],
        **changes,
    }


def test_speech_has_a_codec_a_mel_objective_and_a_warm_up(write_suite: Write) -> None:
    plan = plan_suite(write_suite(content()))
    assert plan.suite.file.model.name == "codec"
    assert plan.suite.file.objective.name == "mel_waveform"
    assert plan.suite.file.training.warmup_steps == 10  # of the usual 500 as many as there are
    assert plan_suite(write_suite(content(training={"steps": 800}))).suite.file.training.warmup_steps == 500
    assert plan.runs[0].config["evaluation"] == {
        "speech": ["pesq", "stoi", "pitch", "dnsmos", "distillmos"],
        "clips": None,
    }


def test_what_a_suite_says_goes_first(write_suite: Write) -> None:
    changes = {
        "model": {"latent_dim": 8},
        "objective": "squared_error",
        "training": {"steps": 10, "warmup_steps": 0},
        "evaluation": {"speech": ["stoi"]},
    }
    plan = plan_suite(write_suite(content(**changes)))
    assert plan.suite.file.model.name == "codec"
    assert plan.suite.file.model.options == {"latent_dim": 8}
    assert plan.suite.file.objective.name == "squared_error"
    assert plan.suite.file.training.warmup_steps == 0


def test_images_keep_their_defaults(write_suite: Write) -> None:
    plan = plan_suite(write_suite(content(dataset="photos")))
    assert plan.suite.file.model.name == "conv"
    assert plan.suite.file.training.warmup_steps == 0


@pytest.mark.parametrize("evaluation", [{"lpips": ["alex"]}, {"speech": ["mos"]}, {"clips": 0}])
def test_metrics_of_another_modality_are_refused(write_suite: Write, evaluation: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="evaluation"):
        plan_suite(write_suite(content(evaluation=evaluation)))
