"""What changes over a run: schedules in shares of it pass, faults planted in them are caught."""

from dataclasses import replace

import pytest
import torch
from sound_method import Faults, Sound, broken_promises
from torch import nn

FAULTS = Faults()


class Annealed(Sound):
    """Sound, with an exponential schedule whose ends are the first and the last step."""

    card = replace(Sound.card, schedule="the factor falls from 1 to 0.01")

    def anneal(self, step, total_steps):
        self.factor = 0.01 ** (step / max(1, total_steps - 1))


class AnnealedInABuffer(Annealed):
    """The same in small factors, counted from 1."""

    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.register_buffer("factor", torch.ones(()))

    def anneal(self, step, total_steps):
        self.factor *= 0.01 ** (1 / total_steps)


@FAULTS.planted("shares_of_the_run", "`factor` is 0.9975, at the same share of 1,001 steps it is from 0.97 to 0.98")
class RampOfManySteps(Annealed):
    def anneal(self, step, total_steps):
        self.factor = max(0.1, 1 - step / 2000)


@FAULTS.planted("shares_of_the_run", "in step 5 of 101 `levels.0.factor` is 0.75, at the same share")
class RampOfFewSteps(Annealed):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.levels = nn.ModuleList([nn.Identity()])

    def anneal(self, step, total_steps):
        self.levels[0].factor = max(0.0, 1 - step / 20)


@FAULTS.planted("shares_of_the_run", "`frozen` is 1, at the same share of 1,001 steps it is from 0 to 0")
class FreezesAfterSteps(Annealed):
    def anneal(self, step, total_steps):
        self.frozen = step > 90 and total_steps < 500


@FAULTS.planted("shares_of_the_run", "`factor` is")
class AnnealsInStepsOfOneSize(AnnealedInABuffer):
    def anneal(self, step, total_steps):
        self.factor *= 0.999


@FAULTS.planted("run_of_one_step", "raises ZeroDivisionError")
class DividesByTheStepsAfterTheFirst(Annealed):
    def anneal(self, step, total_steps):
        self.factor = 1 - step / (total_steps - 1)


@FAULTS.planted("run_of_one_step", "the loss is not finite")
class NoTemperatureInTheLastStep(Annealed):
    def anneal(self, step, total_steps):
        self.factor = 1 - (step + 1) / total_steps

    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss / getattr(self, "factor", 1.0) if self.training else result.loss)


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name):
    FAULTS.assert_caught(name)


@pytest.mark.parametrize("method", [Annealed, AnnealedInABuffer])
def test_a_schedule_in_shares_of_the_run_passes(method):
    assert broken_promises(method) == {}
