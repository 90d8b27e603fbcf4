"""Whether a training step is one graph: planted faults are caught, and a class may say that it is none."""

import pytest
import torch
from sound_method import Faults, Sound

from methods.contract import CHECKS
from methods.contract.subject import Subject

FAULTS = Faults()


@FAULTS.planted("one_graph", "say `one_graph = False`")
class BranchesOnValues(Sound):
    def track(self, latents):
        if latents.mean() > 0:
            super().track(latents)


@FAULTS.planted("one_graph", "4 steps are 4 graphs")
class IsAnotherInEveryStep(Sound):
    def anneal(self, step, total_steps):
        self.phase = f"{step}"

    def track(self, latents):
        if self.phase:
            super().track(latents)


@FAULTS.planted("one_graph", "another output")
class IsAnotherWhenCompiled(Sound):
    def decode(self, codes):
        return super().decode(codes) + float(torch.compiler.is_compiling())


@pytest.mark.parametrize("name", FAULTS)
def test_each_broken_promise_is_caught(name):
    FAULTS.assert_caught(name)


def test_a_class_may_say_that_its_step_is_no_one_graph():
    class Says(BranchesOnValues):
        one_graph = False

    assert CHECKS["one_graph"](Subject(Says, 16, 4)) == "it says that it is not"


def test_the_sound_method_is_one_graph_though_its_first_step_is_not():
    class StartsInItsFirstStep(Sound):
        def forward(self, latents):
            if self.training and not self.started:
                self.started = bool(latents.isfinite().all())
            return super().forward(latents)

        def __init__(self, codebook_size, dim):
            super().__init__(codebook_size, dim)
            self.started = False

    assert CHECKS["one_graph"](Subject(StartsInItsFirstStep, 16, 4)) is None
