"""The codec path is right: overfitted on one minute of speech, without quantization, it sounds nearly like it."""

from statistics import mean

import pytest
import torch

from benchmark.config import Training
from benchmark.data import datasets
from benchmark.data.clips import Speech
from benchmark.metrics.intrusive import pesq
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.training import Trainer

MODEL = {"latent_dim": 128, "strides": [8, 5, 4], "filters": 16, "decoder_width": 256, "decoder_layers": 4}
OBJECTIVE = {"windows": [256, 512, 1024], "bands": [16, 32, 64]}
STEPS = 2000


@pytest.mark.slow
def test_one_minute_of_speech_is_learnt_by_heart() -> None:
    """Some eight minutes of one core; fetches the speech of `festvox_ru` where it is not at hand."""
    minute = datasets.create("festvox_ru", {"clip_seconds": 0.5}).test[:20]
    clips = minute.reshape(-1, 1, 8000)
    data = Speech(clips, clips, minute, modality="audio", sample_rate=16_000, evaluation_batch=4)
    training = Training(steps=STEPS, batch_size=8, learning_rate=2e-3, warmup_steps=100)
    config = {
        "method": "no_quantization",
        "params": {},
        "codebook_size": None,
        "seed": 0,
        "model": {"name": "codec", **models.resolve("codec", MODEL)},
        "objective": {"name": "mel_waveform", **objectives.resolve("mel_waveform", OBJECTIVE)},
        "training": training.model_dump(),
    }
    trainer = Trainer(config, data, torch.device("cpu"))
    for step in range(STEPS):
        trainer._step(step)
    trainer.system.eval()
    originals = data.to_input(minute)
    with torch.no_grad():
        found = torch.cat([trainer.system(part).output for part in originals.split(4)])[..., : originals.shape[-1]]
    pairs = zip(originals[:, 0].numpy(), found[:, 0].clamp(-1, 1).numpy(), strict=True)
    scores = [score for pair in pairs if (score := pesq(*pair)) is not None]
    assert len(scores) == 20
    assert mean(scores) > 2
