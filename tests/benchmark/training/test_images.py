"""Image models under a discriminator: an interrupted run ends where another does, all arms meet the same one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from benchmark.data import Dataset
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.records.settings import Training
from benchmark.training.trainer import Trainer

Resumed = Callable[[Callable[[], Trainer], int], tuple[Trainer, Trainer]]
CPU = torch.device("cpu")
JUDGED = {"perceptual_weight": 0.0, "discriminator_width": 2, "discriminator_layers": 1}


def config(method: str, model: str = "simvq", **objective: Any) -> dict[str, Any]:
    training = {"steps": 6, "batch_size": 4, "ema_decay": 0.9, "betas": [0.5, 0.9]}
    shape = {"channels": 4, "multipliers": [1, 2], "latent_dim": 4}
    return {
        "method": method,
        "params": {},
        "codebook_size": 16,
        "model": {"name": model, **models.identity(model, shape)},
        "objective": {
            "name": "perceptual_adversarial",
            **objectives.resolve("perceptual_adversarial", {**JUDGED, **objective}),
        },
        "training": Training.model_validate(training).model_dump(),
        "seed": 0,
    }


@pytest.mark.parametrize(("model", "weighting"), [("simvq", "fixed"), ("vqgan", "adaptive")])
def test_an_interrupted_training_ends_where_an_undisturbed_one_does(
    model: str, weighting: str, dataset: Dataset, whole_and_resumed: Resumed
) -> None:
    settings = config("simvq", model, weighting=weighting, start=2, warmup_steps=2, schedule="cosine")
    whole, second = whole_and_resumed(lambda: Trainer(settings, dataset, CPU), 4)
    last = whole.progress.history[-1]
    assert {"adversarial", "discriminator"} <= set(last)
    assert ("adversarial_share" in last) == (weighting == "adaptive")
    assert "discriminator" not in whole.progress.history[0]
    for part in ("trained", "objective"):
        again = getattr(second, part).state_dict()
        for name, value in getattr(whole, part).state_dict().items():
            if not name.endswith("_extra_state"):
                assert torch.equal(value, again[name]), name
    timed = {"seconds"}
    for ours, theirs in zip(whole.progress.history, second.progress.history, strict=True):
        assert {k: v for k, v in ours.items() if k not in timed} == {k: v for k, v in theirs.items() if k not in timed}


def test_all_arms_meet_the_same_discriminator(dataset: Dataset) -> None:
    states = [Trainer(config(name), dataset, CPU).objective.state_dict() for name in ("simvq", "vq_vae")]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(v, states[1][name]) for name, v in states[0].items() if not name.endswith("_extra_state"))


def test_adam_has_the_betas_it_is_given(dataset: Dataset) -> None:
    optimizer = Trainer(config("simvq"), dataset, CPU).optimizer
    assert optimizer is not None
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.9)
