"""Contenders at the whole training step: the harness, and a bare PyTorch loop around the same model."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmark.data import Dataset
from benchmark.perf.cases import (
    OURS,
    QUICK_TRAINING_SHAPES,
    TRAINING_SHAPES,
    Contender,
    Group,
    Prepared,
    Shape,
)
from benchmark.perf.peers import formula_simvq, package_missing, package_simvq
from benchmark.perf.steps import FORMULA, PACKAGE, Own
from benchmark.suite.definition import Suite
from benchmark.training.system import build_objective, build_system
from benchmark.training.trainer import Trainer

_POSITIONS = 49
"""Latents an image of 28 x 28 pixels."""
_IMAGES = 4096
BARE = "bare loop"
HISTORY_POINT = "a point of the history"


def config_of(shape: Shape) -> dict[str, Any]:
    """SimVQ in the suite `codebook_scaling`, with a batch of N / 49 images."""
    overrides = {"model.latent_dim": shape.dim, "training.batch_size": shape.rows // _POSITIONS}
    suite = Suite("codebook_scaling", overrides, tuned=False)
    return suite.run(suite.arm("simvq"), {}, shape.size, 0).config


def images() -> Dataset:
    """Random grey images of 28 x 28 pixels: what they show makes no step longer or shorter."""
    generator = torch.Generator().manual_seed(0)
    items = torch.randint(0, 256, (_IMAGES, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return Dataset(items, items[:512], items[:512])


def _harness(shape: Shape, device: torch.device) -> Prepared:
    trainer, steps = Trainer(config_of(shape), images(), device), itertools.count()
    return lambda: trainer.step(next(steps))


def _history_point(shape: Shape, device: torch.device) -> Prepared:
    trainer = Trainer(config_of(shape), images(), device)
    return lambda: trainer.probe.measure(trainer.system)


def _bare(make: Callable[[int, int], nn.Module] | None) -> Callable[[Shape, torch.device], Prepared]:
    """The loop one would write by hand around the suite's model; ``make`` gives another quantizer than SimVQ here."""

    def prepare(shape: Shape, device: torch.device) -> Prepared:
        config, dataset = config_of(shape), images()
        system = build_system(config, dataset, device).train()
        objective = build_objective(config, dataset, device)
        quantizer = make(shape.size, shape.dim).to(device) if make else Own(system.quantizer)
        weights = [weight for part in (system.model, quantizer) for weight in part.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(weights, lr=config["training"]["learning_rate"], fused=True)
        pixels, batch = dataset.train.to(device), shape.rows // _POSITIONS

        def step() -> None:
            items = pixels[torch.randint(0, len(pixels), (batch,)).to(device)].float() / 127.5 - 1
            output, loss = quantizer(system.model.encode(items))
            errors = objective.errors(system.model.decode(output), items)
            optimizer.zero_grad(set_to_none=True)
            (errors.mean() / items[0].numel() + loss).backward()
            optimizer.step()

        return step

    return prepare


TRAINING = Group(
    name="training",
    kind="training",
    title="training step, SimVQ",
    contenders=(
        Contender(OURS, _harness),
        Contender(BARE, _bare(None)),
        Contender(HISTORY_POINT, _history_point),
        Contender(f"{BARE}, {PACKAGE}", _bare(package_simvq), lambda shape: shape.matrices(1.2), package_missing),
        Contender(f"{BARE}, {FORMULA}", _bare(formula_simvq), lambda shape: shape.matrices(3.1)),
    ),
    shapes=TRAINING_SHAPES,
    quick_shapes=QUICK_TRAINING_SHAPES,
)
