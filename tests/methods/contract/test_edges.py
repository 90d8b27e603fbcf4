"""Latents and sizes at the edge: faults planted in a sound method are caught."""

import pytest
import torch
from sound_method import Faults, Sound

FAULTS = Faults()


@FAULTS.planted("identical_latents", "not finite")
class NaNOnIdenticalLatents(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        spread = latents.reshape(-1, self.dim).std(0)
        return result._replace(loss=result.loss + ((latents - latents.mean()) / spread).square().mean())


@FAULTS.planted("zero_latents", "gradient of the latents is not finite")
class NaNOnZeroLatents(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss + latents.norm(dim=-1).sqrt().mean())


@FAULTS.planted("huge_latents", "loss in training is not finite")
class OverflowOnHugeLatents(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss + latents.exp().mean())


@FAULTS.planted("batch_of_one", "output in eval mode is not finite")
class NaNOnBatchOfOne(Sound):
    def track(self, latents):
        super().track(latents)
        rows = latents.detach().reshape(-1, self.dim)
        self.mean += 0 * (rows - rows.mean(0)).square().sum(0) / (rows.shape[0] - 1)


@FAULTS.planted("smallest_sizes", "codebook size 1")
class NaNOnOneCodeword(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        centred = self.codebook - self.codebook.mean(0)
        return result._replace(loss=result.loss + centred.square().sum() / torch.tensor(self.codebook_size - 1.0))


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name):
    FAULTS.assert_caught(name)
