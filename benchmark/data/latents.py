"""Latents of a real encoder, for plain vector quantization: an autoencoder trained once without a quantizer."""

from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmark.cache import prepared
from benchmark.data import datasets
from benchmark.data.base import Dataset
from benchmark.data.parts.vectors import EVALUATION_BATCH, Vectors
from benchmark.records.settings import MOST_STEPS
from benchmark.seeds import derive_seed
from methods.core.usage import MOST_WIDTH, UsageError, check_count

VERSION = 1
"""Of the training below; another one makes other latents."""
POSITIONS = 4
"""Latents taken of each image, at random places."""
BATCH = 64


@datasets.register("latents", modality="latents")
def latents(*, images: str = "fashion_mnist", dim: int = 64, width: int = 32, steps: int = 1000) -> Dataset:
    """Latents ``[D]`` of the data set ``images``: four a picture, of the encoder that learned to reconstruct them.

    The model is `conv` of ``width`` with no quantizer, trained for ``steps`` steps of Adam (batch 64, rate 1e-3) and
    kept in the cache. The splits are those of the images.

    Raises:
        UsageError: the images can't be had, or are none.
    """
    if datasets.trait(images, "modality") != "image":
        raise UsageError(f"data set `latents`: `{images}` holds no images")
    check_count("data set `latents`: dim", dim, MOST_WIDTH)
    check_count("data set `latents`: width", width, MOST_WIDTH)
    check_count("data set `latents`: steps", steps, MOST_STEPS)
    key = (VERSION, images, dim, width, steps)
    splits = prepared("latents", key, lambda: make(images, _of_images(dim, width, steps), POSITIONS))
    return _vectors(splits, f"encoder of `no_quantization` trained on `{images}` for {steps:,} steps")


@datasets.register("speech_latents", modality="latents")
def speech_latents(*, speech: str = "festvox_ru", dim: int = 32, steps: int = 1000) -> Dataset:
    """Latents ``[D]`` of the recordings of the data set ``speech``: all positions, 100 a second.

    The encoder is that of the speech codec `codec` with no quantizer, trained for ``steps`` steps (Adam, batches of 16
    half seconds, rate 2e-3, mel spectra and waveform as in `audio_quickstart`) and kept in the cache. The splits are
    those of the speech.

    Raises:
        UsageError: the recordings can't be had, or are none.
    """
    if datasets.trait(speech, "modality") != "audio":
        raise UsageError(f"data set `speech_latents`: `{speech}` holds no speech")
    check_count("data set `speech_latents`: dim", dim, MOST_WIDTH)
    check_count("data set `speech_latents`: steps", steps, MOST_STEPS)
    key = (VERSION, speech, dim, steps)
    splits = prepared("speech_latents", key, lambda: make(speech, _of_speech(dim, steps), None))
    return _vectors(splits, f"encoder of a codec without a quantizer trained on `{speech}` for {steps:,} steps")


def _vectors(splits: dict[str, Tensor], source: str) -> Dataset:
    return Vectors(
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        provenance={"source": source},
        modality="latents",
        evaluation_batch=EVALUATION_BATCH,
        probe_items=EVALUATION_BATCH,
    )


def make(name: str, config: dict[str, Any], positions: int | None) -> dict[str, Tensor]:
    """Latents of the three splits of a data set, after training the autoencoder on it: ``positions`` an item, or all.

    The random state is left as it was.
    """
    # The harness builds on the data sets; this one builds on the harness.
    from benchmark.training.trainer import Trainer

    source = datasets.create(name, config["dataset"])
    with torch.random.fork_rng(devices=[]):
        trainer = Trainer(config, source, torch.device("cpu"))
        # Minutes before a sweep begins, which otherwise would say nothing.
        for step in tqdm(range(config["training"]["steps"]), desc=f"the encoder of {name}", unit="step", disable=None):
            trainer.step(step)
        encoder = trainer.system.eval()
        generator = torch.Generator().manual_seed(derive_seed("latents"))
        splits = {"train": source.train, "validation": source.validation, "test": source.test}
        return {name: _encode(encoder, source, items, positions, generator) for name, items in splits.items()}


@torch.no_grad()
def _encode(encoder: Any, source: Dataset, items: Tensor, positions: int | None, generator: torch.Generator) -> Tensor:
    rows = []
    for chunk in items.split(256):
        grid = encoder.encode(source.to_input(chunk)).flatten(1, -2)
        if positions is not None:
            places = torch.randint(grid.shape[1], (len(grid), positions), generator=generator)
            grid = grid[torch.arange(len(grid))[:, None], places]
        rows.append(grid.flatten(0, 1))
    return torch.cat(rows)


def _of_images(dim: int, width: int, steps: int) -> dict[str, Any]:
    training = {"steps": steps, "batch_size": BATCH, "learning_rate": 1e-3, "warmup_steps": 0}
    model = {"name": "conv", "width": width, "latent_dim": dim}
    return _config({}, model, {"name": "squared_error"}, training)


def _of_speech(dim: int, steps: int) -> dict[str, Any]:
    training = {"steps": steps, "batch_size": 16, "learning_rate": 2e-3, "warmup_steps": min(30, steps)}
    model = {"name": "codec", "latent_dim": dim, "strides": [8, 5, 4]}
    objective = {"name": "mel_waveform", "windows": [512, 1024, 2048], "bands": [32, 64, 128]}
    return _config({"clip_seconds": 0.5}, model, objective, training)


def _config(
    dataset: dict[str, Any], model: dict[str, Any], objective: dict[str, Any], training: dict[str, Any]
) -> dict[str, Any]:
    usual = {"optimizer": "adam", "momentum": 0.9, "clip_norm": None, "ema_decay": None, "precision": "fp32"}
    return {
        "dataset": dataset,
        "method": "no_quantization",
        "params": {},
        "codebook_size": None,
        "model": model,
        "objective": objective,
        "training": {**training, **usual},
        "seed": 0,
    }
