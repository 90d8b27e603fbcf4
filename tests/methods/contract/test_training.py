"""How a method is trained and resumed: faults planted in a sound method are caught."""

import pytest
import torch
from sound_method import Faults, Sound

FAULTS = Faults()


@FAULTS.planted("resume", "not in state_dict")
class StateNotSaved(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.register_buffer("mean", torch.zeros(dim), persistent=False)

    def words(self):
        return self.project(self.codebook)

    def after_step(self):
        with torch.no_grad():
            self.codebook += self.mean


@FAULTS.planted("resume", "after loading and `initialise`")
class StartsFromDataTwice(Sound):
    def initialise(self, latents):
        with torch.no_grad():
            self.codebook.copy_(next(latents).reshape(-1, self.dim)[: self.codebook_size])


@FAULTS.planted("nothing_outside_state", "`seen`, `history[0]`")
class CountsOutsideItsState(Sound):
    """A counter of steps and a list that it keeps, which the next replacement may wait for."""

    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.seen, self.history = 0, []

    def after_step(self):
        self.seen += 1
        self.history = [self.mean.clone() * self.seen]


@FAULTS.planted("registered_tensors", "scale")
class PlainTensor(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.scale = torch.ones(dim)


@FAULTS.planted("gradient", "does not depend on the latents")
class NoStraightThrough(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(latents=self.decode(result.codes).detach())


@FAULTS.planted("parameters", "no gradient reaches these trainable parameters: codebook, project")
class LossAfterStraightThrough(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=(result.latents - latents.detach()).square().mean())


@FAULTS.planted("parameters", "in two groups")
class ParameterTwice(Sound):
    def parameter_groups(self, lr):
        return [*super().parameter_groups(lr), {"params": [self.codebook], "lr": lr}]


@FAULTS.planted("parameters", "in no optimiser group")
class ParameterForgotten(Sound):
    def parameter_groups(self, lr):
        return [{"params": [self.codebook], "lr": lr}]


@FAULTS.planted("deterministic", "differ")
class SeededByTime(Sound):
    drawn = 0

    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        SeededByTime.drawn += 1
        with torch.no_grad():
            self.codebook += SeededByTime.drawn


@FAULTS.planted("latents_without_gradient", "raises RuntimeError")
class NeedsLatentGradient(Sound):
    def forward(self, latents):
        if self.training:
            torch.autograd.grad(latents.sum(), latents)
        return super().forward(latents)


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name):
    FAULTS.assert_caught(name)
