"""Tensors made on the default device: faults planted in a sound method are caught where there is no other device."""

import pytest
import torch
from sound_method import Faults, Sound, broken_promises

FAULTS = Faults()


@FAULTS.planted("device", "without `device=latents.device`")
class MakesZerosAnywhere(Sound):
    def forward(self, latents):
        return super().forward(latents + torch.zeros(self.dim))


@FAULTS.planted("device", "loss of the output")
class DrawsAnywhere(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss + 1e-3 * torch.randn(self.dim).square().mean() * result.loss)


@FAULTS.planted("device", "loss of the output")
class LossAnywhere(Sound):
    def forward(self, latents):
        return super().forward(latents)._replace(loss=torch.zeros((), requires_grad=True))


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name):
    FAULTS.assert_caught(name)


def test_what_is_moved_on_purpose_is_no_fault():
    class Moves(Sound):
        def forward(self, latents):
            return super().forward(latents + torch.zeros(self.dim).to(latents.device))

    assert "device" not in broken_promises(Moves)
