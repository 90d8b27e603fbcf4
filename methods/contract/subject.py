"""What the checks of the contract share: a method under test, its training step, and comparisons told in words."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from methods.core.base import Quantized, Quantizer
from methods.core.usage import check_options

_TOTAL_STEPS = 10
_LEARNING_RATE = 1e-2


class Seen(NamedTuple):
    """The output of a quantizer, and the latents that it was given, as it left them."""

    result: Quantized
    latents: Tensor


class Course(NamedTuple):
    """Outputs of three steps of training, the state in eval mode after two, and the quantizer after all."""

    results: list[Quantized]
    state: dict[str, Any]
    quantizer: Quantizer


@dataclass
class Subject:
    """A method under test at one size, with the data and the training step that the checks share.

    What checks only look at is made once (`built`, `outputs`, `settled`, `course`); who trains one builds its own.
    """

    cls: type[Quantizer]
    codebook_size: int
    dim: int
    params: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def built(self) -> Quantizer:
        """A quantizer ready to train, to look at: it is given no latents."""
        return self.build()

    @cached_property
    def outputs(self) -> dict[str, Seen]:
        """What comes of the first latents in ``training`` and in ``eval`` mode, of a quantizer of its own each."""
        found = {}
        for mode in ("training", "eval"):
            latents = self.latents()
            found[mode] = Seen(self.build().train(mode == "training")(latents), latents)
        return found

    @cached_property
    def settled(self) -> Quantizer:
        """A trained quantizer to evaluate: the check `eval_changes_nothing` sees whether that leaves it as it is."""
        return self.trained()

    @cached_property
    def course(self) -> Course:
        """Three steps of training, after two of them on to eval mode and back, with which others are compared."""
        quantizer = self.build()
        results = [self.train_step(quantizer, step) for step in range(2)]
        state = deepcopy(quantizer.eval().state_dict())
        return Course([*results, self.train_step(quantizer, 2)], state, quantizer)

    def create(self, seed: int = 0) -> Quantizer:
        """A freshly built quantizer that has seen no data."""
        seed_cpu(seed)
        options = check_options(f"`{self.cls.name}`", self.cls.options(self.params), self.params)
        return self.cls(self.codebook_size, self.dim, **options)

    def build(self, start: Tensor | None = None) -> Quantizer:
        """A quantizer ready to train: built, and started from data where the method does so."""
        quantizer = self.create()
        quantizer.initialise(self.batches(start))
        return quantizer

    def batches(self, latents: Tensor | None = None) -> Iterator[Tensor]:
        """Eight batches of latents for `Quantizer.initialise`."""
        return iter([self.latents(seed=100 + i) if latents is None else latents for i in range(8)])

    def latents(self, *shape: int, seed: int = 1) -> Tensor:
        """Normal latents ``[*shape, D]``, by default of eight examples with 4 x 4 positions."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(*(shape or (8, 4, 4)), self.dim, generator=generator)

    def trained(self) -> Quantizer:
        """A quantizer after two training steps, in eval mode: no longer in its initial state."""
        quantizer = self.build()
        for step in range(2):
            self.train_step(quantizer, step)
        return quantizer.eval()

    def train_step(self, quantizer: Quantizer, step: int, latents: Tensor | None = None) -> Quantized:
        """One step as the training loop makes it, by plain gradient descent, on ``latents`` or on fresh ones."""
        quantizer.train()
        groups = quantizer.parameter_groups(_LEARNING_RATE)
        optimiser = torch.optim.SGD(groups, lr=_LEARNING_RATE) if groups else None
        quantizer.anneal(step, _TOTAL_STEPS)
        seed_cpu(1000 + step)
        latents = (self.latents(seed=10 + step) if latents is None else latents.clone()).requires_grad_()
        result = quantizer(latents)
        quantizer.zero_grad()
        self.objective(quantizer, result, latents).backward()
        if optimiser is not None:
            optimiser.step()
        quantizer.after_step()
        return result

    def objective(self, quantizer: Quantizer, result: Quantized, latents: Tensor) -> Tensor:
        """The training loss with the identity for encoder and decoder."""
        errors = (result.latents - latents.detach()).square().flatten(1).sum(1)
        return quantizer.reconstruction_loss(errors, latents[0].numel()) + result.loss


def seed_cpu(seed: int) -> None:
    """Seed the CPU generator only: `torch.manual_seed` visits every kind of device, which takes longer than a check."""
    torch.default_generator.manual_seed(seed)


def evaluate(quantizer: Quantizer, latents: Tensor) -> Quantized:
    """The output in eval mode, without gradients."""
    with torch.no_grad():
        return quantizer.eval()(latents)
