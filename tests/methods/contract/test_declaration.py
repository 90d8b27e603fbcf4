"""What a method declares: faults planted in a sound method's card, sizes and parameters are caught."""

import pytest
import torch
from sound_method import Faults, Sound
from torch import nn

from methods import Card, Knob, UsageError

FAULTS = Faults()


@FAULTS.planted("sizes", "resolve_size gives (64,), the built quantizer has (32,)")
class OtherSizeThanResolved(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(max(1, codebook_size // 2), dim)
        self.codebook = nn.Parameter(torch.randn(self.codebook_size, dim))


@FAULTS.planted("sizes", "codebook size 0 is accepted")
class AcceptsZero(Sound):
    @classmethod
    def resolve_size(cls, codebook_size, **params):
        return (max(1, codebook_size),)


@FAULTS.planted("sizes", "codebook size 65 is accepted")
class AcceptsMoreThanDeclared(Sound):
    max_codebook_size = 64

    @classmethod
    def resolve_size(cls, codebook_size, **params):
        if codebook_size < 1:
            raise UsageError("codebook_size must be at least 1")
        return (codebook_size,)


@FAULTS.planted("wrong_parameters", "mode='no such choice' is accepted")
class AcceptsAnyChoice(Sound):
    def __init__(self, codebook_size: int, dim: int, *, mode: str = "plain"):
        super().__init__(codebook_size, dim)


@FAULTS.planted("card", "memory")
class EmptyCard(Sound):
    card = Card(idea="an example", paper="none", trains="nothing")


@FAULTS.planted("card", "knob `gamma`")
class KnobOfNothing(Sound):
    knob = Knob("gamma", (1, 2))


@FAULTS.planted("builds", "no default: depth")
class ParameterWithoutDefault(Sound):
    def __init__(self, codebook_size: int, dim: int, *, depth: int):
        super().__init__(codebook_size, dim)


@FAULTS.planted("builds", "raises ZeroDivisionError")
class CannotBeBuilt(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.scale = 1 / 0


@FAULTS.planted("schedule", "it defines `anneal`, and its card's `schedule` is empty")
class SaysNothingOfItsSchedule(Sound):
    def anneal(self, step, total_steps):
        self.factor = 1 - step / total_steps


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name):
    FAULTS.assert_caught(name)
