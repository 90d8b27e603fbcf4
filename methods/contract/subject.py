"""What the checks of the contract share: a method under test, its training step, and comparisons told in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from methods.core.base import Quantized, Quantizer
from methods.core.usage import check_options

_TOTAL_STEPS = 10
_LEARNING_RATE = 1e-2


@dataclass
class Subject:
    """A method under test at one size, with the data and the training step that the checks share."""

    cls: type[Quantizer]
    codebook_size: int
    dim: int
    params: Mapping[str, Any] = field(default_factory=dict)

    def create(self, codebook_size: int | None = None, dim: int | None = None, seed: int = 0) -> Quantizer:
        """A freshly built quantizer that has seen no data."""
        seed_cpu(seed)
        options = check_options(f"`{self.cls.name}`", self.cls.options(self.params), self.params)
        return self.cls(codebook_size or self.codebook_size, dim or self.dim, **options)

    def build(self, seed: int = 0, start: Tensor | None = None) -> Quantizer:
        """A quantizer ready to train: built, and started from data where the method does so."""
        quantizer = self.create(seed=seed)
        quantizer.initialise(self.batches(start))
        return quantizer

    def batches(self, latents: Tensor | None = None) -> Iterator[Tensor]:
        """Eight batches of latents for `Quantizer.initialise`."""
        return iter([self.latents(seed=100 + i) if latents is None else latents for i in range(8)])

    def latents(self, *shape: int, seed: int = 1) -> Tensor:
        """Normal latents ``[*shape, D]``, by default of eight examples with 4 x 4 positions."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(*(shape or (8, 4, 4)), self.dim, generator=generator)

    def trained(self, steps: int = 2, seed: int = 0) -> Quantizer:
        """A quantizer after a few training steps, in eval mode: no longer in its initial state."""
        quantizer = self.build(seed)
        for step in range(steps):
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
