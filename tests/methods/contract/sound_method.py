"""A small quantizer that keeps every promise, and the faults that the tests of the contract plant in it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from methods import Card, Quantized, Quantizer, contract, straight_through
from methods.contract import CHECKS, check_quantizer


def broken_promises(method, **sizes) -> dict[str, str]:
    return {result.name: result.message for result in check_quantizer(method, **sizes) if result.broken}


class Sound(Quantizer):
    """A small quantizer with a codebook, a projection and a moving average; it keeps every promise."""

    card = Card(idea="an example", paper="none", trains="codebook and projection", memory="N + K·D")

    def __init__(self, codebook_size: int, dim: int, *, beta: float = 0.25):
        super().__init__(codebook_size, dim)
        self.beta = beta
        self.codebook = nn.Parameter(torch.randn(codebook_size, dim))
        self.project = nn.Linear(dim, dim)
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def words(self) -> Tensor:
        return self.project(self.codebook) + self.mean

    def codewords(self):
        return [self.words()]

    def encode(self, latents):
        distances = torch.cdist(
            latents.reshape(-1, self.dim), self.words(), compute_mode="donot_use_mm_for_euclid_dist"
        )
        return distances.argmin(1).reshape(*latents.shape[:-1], 1)

    def decode(self, codes):
        return self.words()[codes.squeeze(-1)]

    def track(self, latents):
        self.mean.lerp_(latents.detach().reshape(-1, self.dim).mean(0), 0.01)
        self.steps += 1

    def forward(self, latents):
        codes = self.encode(latents)
        quantized = self.decode(codes)
        loss = (quantized - latents).square().mean()
        if self.training:
            self.track(latents)
            quantized = straight_through(latents, quantized)
        return Quantized(quantized, codes, self.beta * loss, {"distance": loss.detach()})


class Faults(dict[str, tuple[type[Quantizer], str, str]]):
    """Broken classes by name, each with the check that must catch it and words its message must hold."""

    def planted(self, check: str, message: str) -> Callable[[type], type]:
        """Class decorator: add a class that breaks the promise ``check``."""

        def add(cls: type) -> type:
            self[cls.__name__] = (cls, check, message)
            return cls

        return add

    def assert_caught(self, name: str) -> None:
        """The check of the class ``name`` is broken, and says how."""
        cls, check, message = self[name]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(contract, "CHECKS", {which: CHECKS[which] for which in dict.fromkeys(("builds", check))})
            broken = broken_promises(cls, thorough=True)
        assert check in broken, f"caught only by {broken}"
        assert message in broken[check]
