"""Latents of a real encoder, for plain vector quantization: an autoencoder trained once without a quantizer."""

from typing import Any

import torch
from torch import Tensor

from benchmark.cache import prepared
from benchmark.data import datasets
from benchmark.data.base import Dataset
from benchmark.data.parts.vectors import EVALUATION_BATCH, Vectors
from benchmark.seeds import derive_seed
from methods.core.usage import UsageError, check_count

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
    check_count("data set `latents`: dim", dim)
    check_count("data set `latents`: width", width)
    check_count("data set `latents`: steps", steps)
    key = (VERSION, images, dim, width, steps)
    splits = prepared("latents", key, lambda: make(images, dim, width, steps))
    return Vectors(
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        provenance={"source": f"encoder of `no_quantization` trained on `{images}` for {steps:,} steps"},
        modality="latents",
        evaluation_batch=EVALUATION_BATCH,
        probe_items=EVALUATION_BATCH,
    )


def make(images: str, dim: int, width: int, steps: int) -> dict[str, Tensor]:
    """Latents of the three splits, after training the autoencoder. The random state is left as it was."""
    # The harness builds on the data sets; this one builds on the harness.
    from benchmark.training.trainer import Trainer

    source = datasets.create(images, {})
    with torch.random.fork_rng(devices=[]):
        trainer = Trainer(_config(dim, width, steps), source, torch.device("cpu"))
        for step in range(steps):
            trainer.step(step)
        encoder = trainer.system.eval()
        generator = torch.Generator().manual_seed(derive_seed("latents"))
        splits = {"train": source.train, "validation": source.validation, "test": source.test}
        return {name: _encode(encoder, source, items, generator) for name, items in splits.items()}


@torch.no_grad()
def _encode(encoder: Any, source: Dataset, items: Tensor, generator: torch.Generator) -> Tensor:
    rows = []
    for chunk in items.split(256):
        grid = encoder.encode(source.to_input(chunk)).flatten(1, -2)
        places = torch.randint(grid.shape[1], (len(grid), POSITIONS), generator=generator)
        rows.append(grid[torch.arange(len(grid))[:, None], places].flatten(0, 1))
    return torch.cat(rows)


def _config(dim: int, width: int, steps: int) -> dict[str, Any]:
    training = {"steps": steps, "batch_size": BATCH, "learning_rate": 1e-3, "optimizer": "adam", "momentum": 0.9}
    return {
        "method": "no_quantization",
        "params": {},
        "codebook_size": None,
        "model": {"name": "conv", "width": width, "latent_dim": dim},
        "objective": {"name": "squared_error"},
        "training": {**training, "warmup_steps": 0, "clip_norm": None, "ema_decay": None, "precision": "fp32"},
        "seed": 0,
    }
