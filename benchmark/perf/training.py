"""Contenders at the whole training step: the harness, and a bare PyTorch loop around the same model."""

import itertools
from collections.abc import Callable

import torch
from torch import nn

from benchmark.perf.cases import (
    OURS,
    QUICK_TRAINING_SHAPES,
    TRAINING_SHAPES,
    Contender,
    Group,
    Prepared,
    Shape,
    needs_a_gpu,
)
from benchmark.perf.peers import formula_simvq, package_missing, package_simvq
from benchmark.perf.steps import FORMULA, PACKAGE, Own
from benchmark.perf.trained import first_step, training
from benchmark.training.passes import Passes

_STAGE = "trained"
BARE = "bare loop"
COMPILED = f"{OURS}, compiled"
HISTORY_POINT = "a point of the history"


def _harness(method: str, *, compiled: bool = False) -> Callable[[Shape, torch.device], Prepared]:
    def prepare(shape: Shape, device: torch.device) -> Prepared:
        trainer, steps = training(method, shape, _STAGE, device), itertools.count(first_step(_STAGE))
        if compiled:
            trainer.passes = Passes(trainer.system, compiled, device)
        return lambda: trainer.step(next(steps))

    return prepare


def _history_point(shape: Shape, device: torch.device) -> Prepared:
    trainer = training("simvq", shape, _STAGE, device)
    return lambda: trainer.probe.measure(trainer.system)


def _bare(make: Callable[[int, int], nn.Module] | None) -> Callable[[Shape, torch.device], Prepared]:
    """The loop one would write by hand around the trained model; ``make`` gives another quantizer than SimVQ here.

    Another's codebook is as it starts: no value in it makes its step longer or shorter.
    """

    def prepare(shape: Shape, device: torch.device) -> Prepared:
        trainer = training("simvq", shape, _STAGE, device)
        system, objective, rate = trainer.system.train(), trainer.objective, trainer.settings["learning_rate"]
        quantizer = make(shape.size, shape.dim).to(device) if make else Own(system.quantizer)
        weights = [weight for part in (system.model, quantizer) for weight in part.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(weights, lr=rate, fused=True)
        pixels, batch = trainer.dataset.train.to(device), trainer.settings["batch_size"]

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
        Contender(OURS, _harness("simvq")),
        Contender(COMPILED, _harness("simvq", compiled=True), requires=needs_a_gpu),
        Contender(BARE, _bare(None)),
        Contender(HISTORY_POINT, _history_point),
        Contender(f"{BARE}, {PACKAGE}", _bare(package_simvq), lambda shape: shape.matrices(1.2), package_missing),
        Contender(f"{BARE}, {FORMULA}", _bare(formula_simvq), lambda shape: shape.matrices(3.1)),
    ),
    shapes=TRAINING_SHAPES,
    quick_shapes=QUICK_TRAINING_SHAPES,
    fewest_rounds=15,
)

_OTHERS = {"vq_vae_ema": "EMA", "codebook_reset": "codebook reset", "cvq_vae": "CVQ-VAE"}
"""What else a step costs from the least of the codebooks to the largest."""
TRAININGS = (
    TRAINING,
    *(
        Group(
            name=f"training_{method}",
            kind="training",
            title=f"training step, {title}",
            contenders=(Contender(OURS, _harness(method)),),
            shapes=(TRAINING_SHAPES[0], TRAINING_SHAPES[-1]),
            quick_shapes=QUICK_TRAINING_SHAPES,
            fewest_rounds=15,
        )
        for method, title in _OTHERS.items()
    ),
)
