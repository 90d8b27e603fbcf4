"""What a method returns: faults planted in a sound method's output, codes and codewords are caught."""

import pytest
import torch
from sound_method import Faults, Sound, broken_promises

from methods import straight_through

FAULTS = Faults()


@FAULTS.planted("decode", "off the eval output")
class StraightThroughInEval(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(latents=latents + (result.latents - latents).detach())


@FAULTS.planted("decode", "off the eval output")
class DecodeForgetsProjection(Sound):
    def decode(self, codes):
        return self.codebook[codes.squeeze(-1)]

    def forward(self, latents):
        result = super().forward(latents)
        words = self.words()[result.codes.squeeze(-1)]
        return result._replace(latents=straight_through(latents, words) if self.training else words)


@FAULTS.planted("codewords", "off codewords()")
class CodewordsForgetProjection(Sound):
    def codewords(self):
        return [self.codebook]


@FAULTS.planted("codewords", "shapes [(8, 64)], not [(64, 8)]")
class CodewordsTransposed(Sound):
    def codewords(self):
        return [self.words().T]


@FAULTS.planted("eval_changes_nothing", "changes: `mean`, `steps`")
class WritesBufferInEval(Sound):
    def forward(self, latents):
        if not self.training:
            self.track(latents)
        return super().forward(latents)


@FAULTS.planted("eval_changes_nothing", "draws random numbers")
class RandomInEval(Sound):
    def forward(self, latents):
        torch.rand(1)
        return super().forward(latents)


@FAULTS.planted("eval_changes_nothing", "the training step after an evaluation")
class CountsInEval(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.calls = 0

    def forward(self, latents):
        self.calls += 1
        self.mean.mul_(1 / self.calls if self.training else 1)
        return super().forward(latents)


@FAULTS.planted("output", "in eval mode it writes into the latents")
class WritesIntoLatents(Sound):
    def forward(self, latents):
        return super().forward(latents if self.training else latents.clamp_(-1, 1))


@FAULTS.planted("codes", "from 1 to 64")
class CodesFromOne(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(codes=torch.where(result.codes == 0, self.codebook_size, result.codes).clamp(min=1))


@FAULTS.planted("codes", "int32")
class CodesInt32(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(codes=result.codes.int())


@FAULTS.planted("codes", "shape (8, 4, 4), not (8, 4, 4, 1)")
class CodesWithoutLevels(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(codes=result.codes.squeeze(-1))


@FAULTS.planted("independence", "the codes differ")
class DependsOnBatch(Sound):
    def encode(self, latents):
        return super().encode(latents - latents.mean(0, keepdim=True))


@FAULTS.planted("independence", "another order")
class DependsOnOrder(Sound):
    def encode(self, latents):
        codes = super().encode(latents)
        codes[0] = 0 if latents.shape[0] > 1 and latents[0].sum() > latents[-1].sum() else codes[0]
        codes[-1] = 0 if latents.shape[0] > 1 and latents[0].sum() > latents[-1].sum() else codes[-1]
        return codes


@FAULTS.planted("positions", "raises")
class ImagesOnly(Sound):
    def encode(self, latents):
        batch, height, width, dim = latents.shape
        return super().encode(latents.reshape(batch, height * width, dim)).reshape(batch, height, width, 1)


@FAULTS.planted("positions", "view")
class ContiguousOnly(Sound):
    def encode(self, latents):
        return super().encode(latents.view(-1, self.dim)).view(*latents.shape[:-1], 1)


@FAULTS.planted("precision", "differ")
class ReducedPrecision(Sound):
    def words(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            return super().words().float()

    def __call__(self, latents):
        self.reduced = torch.is_autocast_enabled("cpu")
        return super().__call__(latents)

    reduced = False


@FAULTS.planted("output", "become (8, 4, 4, 8) float64")
class DoubleOutput(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(latents=result.latents.double())


@FAULTS.planted("loss", "not a scalar")
class LossPerExample(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss.expand(latents.shape[0]))


@FAULTS.planted("loss", "detach it")
class LogHoldsGraph(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(log={"loss": result.loss})


@FAULTS.planted("loss", "`step` bears the name of one of the harness")
class LogNamesAColumn(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(log={"step": result.loss.detach()})


@FAULTS.planted("no_codes", "has_codes is True")
class CodesNone(Sound):
    def forward(self, latents):
        return super().forward(latents)._replace(codes=None)


@FAULTS.planted("latents_untouched", "in training it changes the latents")
class WritesIntoItsInput(Sound):
    def forward(self, latents):
        latents.data.mul_(0.5)
        return super().forward(latents)


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name):
    FAULTS.assert_caught(name)


def test_declared_dependence_on_the_batch_is_allowed():
    class Declared(DependsOnBatch):
        independent_rows = False

    assert "independence" not in broken_promises(Declared)
