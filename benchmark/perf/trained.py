"""Trainings under way, made once and kept: real latents, and codebooks that move. Random ones hide what these allow."""

from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from benchmark.cache import prepared
from benchmark.data import Dataset, datasets
from benchmark.perf.cases import Shape
from benchmark.suite.definition import Suite
from benchmark.training.trainer import Trainer
from methods.core.base import Quantizer

STAGES = {"half-trained": 100, "trained": 400}
"""Steps of the network, with a codebook of `SMALL` codewords, by what is then called so."""
SMALL = 1024
STEPS = 60
"""Steps after these with a codebook of the size in question, beyond the warm-up of the learning rate."""
SUCCESSIVE = 6
"""Steps whose searches are kept in memory."""
_POSITIONS = 49
"""Latents an image of 28 x 28 pixels."""


@cache
def images() -> Dataset:
    """Fashion-MNIST."""
    return datasets.create("fashion_mnist", {})


@cache
def config_of(method: str, shape: Shape) -> dict[str, Any]:
    """``method`` in the suite `codebook_scaling`, untuned, with a batch of N / 49 images."""
    overrides = {"model.latent_dim": shape.dim, "training.batch_size": shape.rows // _POSITIONS}
    suite = Suite("codebook_scaling", overrides, tuned=False)
    return suite.run(suite.arm(method), {}, shape.size, 0).config


def first_step(stage: str) -> int:
    """The step that comes next in `training`."""
    return STAGES[stage] + STEPS


def training(method: str, shape: Shape, stage: str, device: torch.device) -> Trainer:
    """A training of ``method`` before its step `first_step`, at the full learning rate.

    Its first steps are with few codewords, as in large codebooks they would take minutes, and the network then learns
    much the same. What is trained of the quantizer and does not depend on K is taken over.
    """
    config = config_of(method, shape)
    key = (config, STAGES[stage], STEPS, SMALL, device.type, torch.__version__)
    trainer = Trainer(config, images(), device)
    trainer.load_state_dict(prepared("perf", key, lambda: _train(method, shape, stage, device).state_dict()))
    return trainer


def _train(method: str, shape: Shape, stage: str, device: torch.device) -> Trainer:
    small = Shape(shape.rows, SMALL, shape.dim)
    key = (config_of(method, small), STAGES[stage], device.type, torch.__version__)
    begun = prepared("perf", key, lambda: _begin(method, small, STAGES[stage], device))
    trainer = Trainer(config_of(method, shape), images(), device)
    trainer.system.model.load_state_dict(begun["model"])
    for name, parameter in trainer.system.quantizer.named_parameters():
        if begun["quantizer"][name].shape == parameter.shape:
            parameter.data.copy_(begun["quantizer"][name])
    trainer.seed()
    for step in range(STAGES[stage], first_step(stage)):
        trainer.step(step)
    return trainer


def _begin(method: str, shape: Shape, steps: int, device: torch.device) -> dict[str, Any]:
    trainer = Trainer(config_of(method, shape), images(), device)
    trainer.seed()
    for step in range(steps):
        trainer.step(step)
    return {"model": trainer.system.model.state_dict(), "quantizer": trainer.system.quantizer.state_dict()}


@lru_cache(maxsize=1)
def successive_searches(method: str, shape: Shape, stage: str, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """Latents ``[N, D]`` and codewords ``[K, D]`` of the searches of successive training steps."""
    trainer, found = training(method, shape, stage, device), []
    for step in range(first_step(stage), first_step(stage) + SUCCESSIVE):
        with torch.no_grad():
            latents = trainer.system.encode(trainer.train.batch(trainer.batches.indices(step)))
            found.append((latents.reshape(-1, shape.dim).contiguous(), _codewords(trainer.system.quantizer)))
        trainer.step(step)
    return found


def _codewords(quantizer: Quantizer) -> Tensor:
    codewords = quantizer.codewords()
    assert codewords is not None
    return codewords[0].detach().clone()
