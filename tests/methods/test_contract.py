"""Every method keeps the contract, and the contract catches faults planted in a sound method."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from methods import Card, Knob, Quantized, Quantizer, UsageError, available, contract
from methods.contract import CHECKS, check_quantizer
from methods.estimators import straight_through


def broken_promises(method, **sizes) -> dict[str, str]:
    return {result.name: result.message for result in check_quantizer(method, **sizes) if not result.passed}


@pytest.mark.parametrize("name", available())
def test_every_method_keeps_every_promise(name):
    assert broken_promises(name) == {}


@pytest.mark.parametrize("name", ["vq_vae", "vq_vae_ema", "simvq"])
def test_other_sizes(name):
    assert broken_promises(name, codebook_size=300, dim=3) == {}


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("vq_vae", {"init": "kmeans", "beta": 0.0}),
        ("vq_vae_ema", {"debias": False}),
        ("simvq", {"layers": 2, "bias": False, "train_codebook": True}),
        ("simvq", {"init": "kmeans", "train_map": False}),
        ("simvq", {"layers": 0, "train_codebook": True, "init": "uniform"}),
    ],
)
def test_options_keep_the_contract(name, params):
    assert broken_promises(name, params=params) == {}


def test_every_promise_is_one_line_in_words():
    for result in check_quantizer("vq_vae"):
        assert result.promise.endswith("."), result
        assert len(result.promise.split()) > 5, result


def test_without_codes_only_what_applies_is_checked():
    names = [result.name for result in check_quantizer("no_quantization")]
    assert "gradient" in names
    assert "resume" in names
    assert not {"codes", "decode", "codewords", "precision"} & set(names)
    assert set(names) < set(CHECKS)


def test_global_random_state_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check_quantizer("vq_vae_ema")
    assert torch.equal(torch.get_rng_state(), before)


# -- a sound method, and faults planted in it ----------------------------------------------------


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


FAULTS: dict[str, tuple[type[Quantizer], str, str]] = {}


def fault(check: str, message: str):
    """Register a broken class, the check that must catch it and words its message must hold."""

    def add(cls):
        FAULTS[cls.__name__] = (cls, check, message)
        return cls

    return add


@fault("decode", "off the eval output")
class StraightThroughInEval(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(latents=latents + (result.latents - latents).detach())


@fault("decode", "off the eval output")
class DecodeForgetsProjection(Sound):
    def decode(self, codes):
        return self.codebook[codes.squeeze(-1)]

    def forward(self, latents):
        result = super().forward(latents)
        words = self.words()[result.codes.squeeze(-1)]
        return result._replace(latents=straight_through(latents, words) if self.training else words)


@fault("codewords", "off codewords()")
class CodewordsForgetProjection(Sound):
    def codewords(self):
        return [self.codebook]


@fault("codewords", "shapes [(8, 64)], not [(64, 8)]")
class CodewordsTransposed(Sound):
    def codewords(self):
        return [self.words().T]


@fault("eval_changes_nothing", "changes: `mean`, `steps`")
class WritesBufferInEval(Sound):
    def forward(self, latents):
        if not self.training:
            self.track(latents)
        return super().forward(latents)


@fault("eval_changes_nothing", "draws random numbers")
class RandomInEval(Sound):
    def forward(self, latents):
        torch.rand(1)
        return super().forward(latents)


@fault("eval_changes_nothing", "the training step after an evaluation")
class CountsInEval(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.calls = 0

    def forward(self, latents):
        self.calls += 1
        self.mean.mul_(1 / self.calls if self.training else 1)
        return super().forward(latents)


@fault("output", "in eval mode it writes into the latents")
class WritesIntoLatents(Sound):
    def forward(self, latents):
        return super().forward(latents if self.training else latents.clamp_(-1, 1))


@fault("codes", "from 1 to 64")
class CodesFromOne(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(codes=torch.where(result.codes == 0, self.codebook_size, result.codes).clamp(min=1))


@fault("codes", "int32")
class CodesInt32(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(codes=result.codes.int())


@fault("codes", "shape (8, 4, 4), not (8, 4, 4, 1)")
class CodesWithoutLevels(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(codes=result.codes.squeeze(-1))


@fault("independence", "the codes differ")
class DependsOnBatch(Sound):
    def encode(self, latents):
        return super().encode(latents - latents.mean(0, keepdim=True))


@fault("independence", "another order")
class DependsOnOrder(Sound):
    def encode(self, latents):
        codes = super().encode(latents)
        codes[0] = 0 if latents.shape[0] > 1 and latents[0].sum() > latents[-1].sum() else codes[0]
        codes[-1] = 0 if latents.shape[0] > 1 and latents[0].sum() > latents[-1].sum() else codes[-1]
        return codes


@fault("resume", "not in state_dict")
class StateNotSaved(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.register_buffer("mean", torch.zeros(dim), persistent=False)

    def words(self):
        return self.project(self.codebook)

    def after_step(self):
        with torch.no_grad():
            self.codebook += self.mean


@fault("resume", "after loading and `initialise`")
class StartsFromDataTwice(Sound):
    def initialise(self, latents):
        with torch.no_grad():
            self.codebook.copy_(next(latents).reshape(-1, self.dim)[: self.codebook_size])


@fault("registered_tensors", "scale")
class PlainTensor(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.scale = torch.ones(dim)


@fault("identical_latents", "not finite")
class NaNOnIdenticalLatents(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        spread = latents.reshape(-1, self.dim).std(0)
        return result._replace(loss=result.loss + ((latents - latents.mean()) / spread).square().mean())


@fault("zero_latents", "gradient of the latents is not finite")
class NaNOnZeroLatents(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss + latents.norm(dim=-1).sqrt().mean())


@fault("huge_latents", "loss in training is not finite")
class OverflowOnHugeLatents(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss + latents.exp().mean())


@fault("batch_of_one", "output in eval mode is not finite")
class NaNOnBatchOfOne(Sound):
    def track(self, latents):
        super().track(latents)
        rows = latents.detach().reshape(-1, self.dim)
        self.mean += 0 * (rows - rows.mean(0)).square().sum(0) / (rows.shape[0] - 1)


@fault("smallest_sizes", "codebook size 1")
class NaNOnOneCodeword(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        centred = self.codebook - self.codebook.mean(0)
        return result._replace(loss=result.loss + centred.square().sum() / torch.tensor(self.codebook_size - 1.0))


@fault("gradient", "does not depend on the latents")
class NoStraightThrough(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(latents=self.decode(result.codes).detach())


@fault("parameters", "no gradient reaches these trainable parameters: codebook, project")
class LossAfterStraightThrough(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=(result.latents - latents.detach()).square().mean())


@fault("parameters", "in two groups")
class ParameterTwice(Sound):
    def parameter_groups(self, lr):
        return [*super().parameter_groups(lr), {"params": [self.codebook], "lr": lr}]


@fault("parameters", "in no optimiser group")
class ParameterForgotten(Sound):
    def parameter_groups(self, lr):
        return [{"params": [self.codebook], "lr": lr}]


@fault("deterministic", "differ")
class SeededByTime(Sound):
    drawn = 0

    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        SeededByTime.drawn += 1
        with torch.no_grad():
            self.codebook += SeededByTime.drawn


@fault("positions", "raises")
class ImagesOnly(Sound):
    def encode(self, latents):
        batch, height, width, dim = latents.shape
        return super().encode(latents.reshape(batch, height * width, dim)).reshape(batch, height, width, 1)


@fault("positions", "view")
class ContiguousOnly(Sound):
    def encode(self, latents):
        return super().encode(latents.view(-1, self.dim)).view(*latents.shape[:-1], 1)


@fault("latents_without_gradient", "raises RuntimeError")
class NeedsLatentGradient(Sound):
    def forward(self, latents):
        if self.training:
            torch.autograd.grad(latents.sum(), latents)
        return super().forward(latents)


@fault("precision", "differ")
class ReducedPrecision(Sound):
    def words(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            return super().words().float()

    def __call__(self, latents):
        self.reduced = torch.is_autocast_enabled("cpu")
        return super().__call__(latents)

    reduced = False


@fault("output", "become (8, 4, 4, 8) float64")
class DoubleOutput(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(latents=result.latents.double())


@fault("loss", "not a scalar")
class LossPerExample(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss.expand(latents.shape[0]))


@fault("loss", "detach it")
class LogHoldsGraph(Sound):
    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(log={"loss": result.loss})


@fault("no_codes", "has_codes is True")
class CodesNone(Sound):
    def forward(self, latents):
        return super().forward(latents)._replace(codes=None)


@fault("sizes", "resolve_size gives (64,), the built quantizer has (32,)")
class OtherSizeThanResolved(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(max(1, codebook_size // 2), dim)
        self.codebook = nn.Parameter(torch.randn(self.codebook_size, dim))


@fault("sizes", "codebook size 0 is accepted")
class AcceptsZero(Sound):
    @classmethod
    def resolve_size(cls, codebook_size, **params):
        return (max(1, codebook_size),)


@fault("sizes", "codebook size 65 is accepted")
class AcceptsMoreThanDeclared(Sound):
    max_codebook_size = 64

    @classmethod
    def resolve_size(cls, codebook_size, **params):
        if codebook_size < 1:
            raise UsageError("codebook_size must be at least 1")
        return (codebook_size,)


@fault("wrong_parameters", "mode='no such choice' is accepted")
class AcceptsAnyChoice(Sound):
    def __init__(self, codebook_size: int, dim: int, *, mode: str = "plain"):
        super().__init__(codebook_size, dim)


@fault("card", "memory")
class EmptyCard(Sound):
    card = Card(idea="an example", paper="none", trains="nothing")


@fault("card", "knob `gamma`")
class KnobOfNothing(Sound):
    knob = Knob("gamma", (1, 2))


@fault("builds", "no default: depth")
class ParameterWithoutDefault(Sound):
    def __init__(self, codebook_size: int, dim: int, *, depth: int):
        super().__init__(codebook_size, dim)


@fault("builds", "raises ZeroDivisionError")
class CannotBeBuilt(Sound):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.scale = 1 / 0


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


@fault("shares_of_the_run", "`factor` is 0.9975, at the same share of 1,001 steps it is from 0.97 to 0.98")
class RampOfManySteps(Annealed):
    def anneal(self, step, total_steps):
        self.factor = max(0.1, 1 - step / 2000)


@fault("shares_of_the_run", "in step 5 of 101 `levels.0.factor` is 0.75, at the same share")
class RampOfFewSteps(Annealed):
    def __init__(self, codebook_size: int, dim: int):
        super().__init__(codebook_size, dim)
        self.levels = nn.ModuleList([nn.Identity()])

    def anneal(self, step, total_steps):
        self.levels[0].factor = max(0.0, 1 - step / 20)


@fault("shares_of_the_run", "`frozen` is 1, at the same share of 1,001 steps it is from 0 to 0")
class FreezesAfterSteps(Annealed):
    def anneal(self, step, total_steps):
        self.frozen = step > 90 and total_steps < 500


@fault("shares_of_the_run", "`factor` is")
class AnnealsInStepsOfOneSize(AnnealedInABuffer):
    def anneal(self, step, total_steps):
        self.factor *= 0.999


@fault("run_of_one_step", "raises ZeroDivisionError")
class DividesByTheStepsAfterTheFirst(Annealed):
    def anneal(self, step, total_steps):
        self.factor = 1 - step / (total_steps - 1)


@fault("run_of_one_step", "the loss is not finite")
class NoTemperatureInTheLastStep(Annealed):
    def anneal(self, step, total_steps):
        self.factor = 1 - (step + 1) / total_steps

    def forward(self, latents):
        result = super().forward(latents)
        return result._replace(loss=result.loss / getattr(self, "factor", 1.0) if self.training else result.loss)


@fault("schedule", "it defines `anneal`, and its card's `schedule` is empty")
class SaysNothingOfItsSchedule(Sound):
    def anneal(self, step, total_steps):
        self.factor = 1 - step / total_steps


@pytest.mark.parametrize("method", [Annealed, AnnealedInABuffer])
def test_a_schedule_in_shares_of_the_run_passes(method):
    assert broken_promises(method) == {}


def test_the_sound_method_passes():
    assert broken_promises(Sound) == {}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_caught(name, monkeypatch):
    cls, check, message = FAULTS[name]
    monkeypatch.setattr(contract, "CHECKS", {which: CHECKS[which] for which in dict.fromkeys(("builds", check))})
    broken = broken_promises(cls)
    assert check in broken, f"caught only by {broken}"
    assert message in broken[check]


def test_declared_dependence_on_the_batch_is_allowed():
    class Declared(DependsOnBatch):
        independent_rows = False

    assert "independence" not in broken_promises(Declared)
