"""The learning rate over a run, and who is trained at which rate."""

from typing import Any

import pytest
import torch
from torch import nn

from benchmark.records.settings import Training
from benchmark.schedules import rate_factor
from benchmark.training.optimization import build_optimizer
from methods import create


def _settings(**given: Any) -> dict[str, Any]:
    return Training.model_validate({"steps": 10, "learning_rate": 0.5, **given}).model_dump()


@pytest.mark.parametrize(
    ("given", "factors"),
    [
        ({"steps": 4}, [1.0, 1.0, 1.0, 1.0, 1.0]),
        ({"steps": 4, "warmup_steps": 2}, [0.5, 1.0, 1.0, 1.0, 1.0]),
        ({"steps": 4, "schedule": "linear"}, [1.0, 0.75, 0.5, 0.25, 0.0]),
        ({"steps": 4, "schedule": "cosine"}, [1.0, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0.0]),
        ({"steps": 6, "schedule": "linear", "warmup_steps": 2}, [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]),
        ({"steps": 4, "schedule": "linear", "final_share": 0.2}, [1.0, 0.8, 0.6, 0.4, 0.2]),
    ],
)
def test_the_rate_warms_up_and_falls_to_its_final_share(given: dict[str, Any], factors: list[float]) -> None:
    factor = rate_factor(_settings(**given))
    assert [factor(step) for step in range(len(factors))] == pytest.approx(factors, abs=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 1, "schedule": "cosine"}, "schedule cosine needs at least 2 steps, not 1"),
        ({"warmup_steps": 11}, r"warmup_steps \(11\) must not exceed steps \(10\)"),
        ({"warmup_steps": 10, "schedule": "linear"}, "schedule linear needs steps after the 10 of the warm-up"),
        ({"final_share": 0.1}, "final_share is the end of a schedule"),
        ({"final_share": 1.1, "schedule": "cosine"}, "less than or equal to 1"),
        ({"continuous_share": 1.0}, "less than 1"),
        ({"continuous_share": -0.1}, "greater than or equal to 0"),
        ({"continuous_share": 0.96}, r"continuous_share 0.96 of 10 steps leaves none"),
        ({"weight_decay": 0.1}, "weight_decay is for the optimizer adamw, not adam"),
    ],
)
def test_settings_that_contradict_each_other_are_one_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _settings(**given)


def test_younger_settings_are_in_a_key_only_where_they_are_set() -> None:
    before = {"steps", "batch_size", "learning_rate", "optimizer", "momentum", "warmup_steps", "clip_norm"}
    before |= {"ema_decay", "precision"}
    assert set(Training.scientific(_settings())) == before
    changed = {"schedule": "cosine", "freeze_encoder": True, "keep": "weights", "timeout": 3.0}
    assert set(Training.scientific(_settings(**changed))) == before | {"schedule", "freeze_encoder"}


def test_decay_acts_on_the_models_matrices_and_the_quantizer_may_have_its_own_rate() -> None:
    model, quantizer = nn.Linear(4, 3), create("vq_vae", 8, 4)
    settings = _settings(optimizer="adamw", weight_decay=0.1, quantizer_learning_rate=0.01)
    optimizer, _ = build_optimizer(settings, model, quantizer)
    assert isinstance(optimizer, torch.optim.AdamW)
    found = [(group["params"], group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert [(rate, decay) for _, rate, decay in found] == [(0.5, 0.1), (0.5, 0.0), (0.01, 0.0)]
    assert [parameters[0] for parameters, *_ in found] == [model.weight, model.bias, *quantizer.parameters()]
    same, _ = build_optimizer(_settings(), model, quantizer)
    assert same is not None
    assert [group["lr"] for group in same.param_groups] == [0.5, 0.5]
    assert build_optimizer(_settings(), nn.Identity(), create("kmeans", 8, 4)) == (None, None)
