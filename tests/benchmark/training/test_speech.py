"""Training on speech: every method of the request unchanged, and a discriminator that resumes to the last digit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.data.parts.clips import Speech
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.records.settings import Training
from benchmark.training.trainer import Trainer

Resumed = Callable[[Callable[[], Trainer], int], tuple[Trainer, Trainer]]
CPU = torch.device("cpu")
CODEC = {"latent_dim": 4, "strides": [4, 8], "filters": 2, "decoder_width": 8, "decoder_layers": 1}


@pytest.fixture
def dataset() -> Speech:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(-9000, 9000, (20, 1, 2560), dtype=torch.int16, generator=generator)
    return Speech(clips[:12], clips[12:16], clips[16:], modality="audio", sample_rate=8000)


def config(method: str, objective: str, options: dict[str, Any], steps: int = 6) -> dict[str, Any]:
    training = Training(steps=steps, batch_size=3, learning_rate=1e-3, warmup_steps=2)
    return {
        "method": method,
        "params": {},
        "codebook_size": 16,
        "model": {"name": "codec", **models.resolve("codec", CODEC)},
        "objective": {"name": objective, **objectives.resolve(objective, options)},
        "training": training.model_dump(),
        "seed": 0,
    }


def silent(step: int, row: dict[str, float]) -> None:
    pass


@pytest.mark.parametrize(
    "method", ["vq_vae", "vq_vae_ema", "codebook_reset", "cvq_vae", "sq_vae", "residual_vq", "simvq", "no_quantization"]
)
def test_methods_train_on_speech_as_they_are(method: str, dataset: Speech, tmp_path: Path) -> None:
    options = {"windows": [512], "bands": [16]}
    trainer = Trainer(config(method, "mel_waveform", options, steps=3), dataset, CPU)
    trainer.fit(tmp_path / "checkpoint.pt", silent)
    assert all(torch.isfinite(torch.tensor(row["loss"])) for row in trainer.progress.history)
    assert trainer.system.encode(dataset.to_input(dataset.test)).shape == (4, 80, 4)


def test_an_interrupted_adversarial_training_ends_where_an_undisturbed_one_does(
    dataset: Speech, whole_and_resumed: Resumed
) -> None:
    options = {"windows": [512], "bands": [16], "discriminator_width": 1, "start": 2, "warmup_steps": 3}
    settings = config("simvq", "adversarial_mel", options, steps=5)
    short = Speech(
        *(part[..., :1280] for part in (dataset.train, dataset.validation, dataset.test)),
        modality="audio",
        sample_rate=8000,
    )
    whole, second = whole_and_resumed(lambda: Trainer(settings, short, CPU), 3)
    assert "discriminator" in whole.progress.history[-1]
    assert "discriminator" not in whole.progress.history[0]
    for part in ("system", "objective"):
        again = getattr(second, part).state_dict()
        for name, value in getattr(whole, part).state_dict().items():
            if not name.endswith("_extra_state"):
                assert torch.equal(value, again[name]), name


def test_all_arms_meet_the_same_discriminators(dataset: Speech) -> None:
    options = {"windows": [512], "bands": [16], "discriminator_width": 1}
    pair = [Trainer(config(name, "adversarial_mel", options), dataset, CPU).objective for name in ("simvq", "vq_vae")]
    states = [objective.state_dict() for objective in pair]
    assert all(torch.equal(v, states[1][name]) for name, v in states[0].items() if not name.endswith("_extra_state"))
