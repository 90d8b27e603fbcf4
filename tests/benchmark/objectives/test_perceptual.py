"""The objective of VQGANs: its losses by their definition, LPIPS, the balance of gradients, state, what can't be."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from benchmark.metrics.parts.perceptual import load_lpips
from benchmark.objectives import objectives
from benchmark.objectives.parts.patchgan import BatchNorm, PatchGAN, least_side
from benchmark.objectives.perceptual import PerceptualAdversarial
from methods.core.usage import UsageError

OPTIONS = {"perceptual_weight": 0.0, "discriminator_width": 2, "discriminator_layers": 2, "learning_rate": 0.01}
Pair = tuple[torch.Tensor, torch.Tensor]


def build(shape: tuple[int, ...] = (3, 16, 16), **options: Any) -> PerceptualAdversarial:
    torch.manual_seed(0)
    made = objectives.create("perceptual_adversarial", {**OPTIONS, **options}, item_shape=shape)
    assert isinstance(made, PerceptualAdversarial)
    return made


@pytest.fixture
def pair() -> Pair:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, 3, 16, 16, generator=generator) * 2 - 1, torch.rand(3, 3, 16, 16, generator=generator) * 2 - 1


def test_errors_of_pixels(pair: Pair) -> None:
    difference = (pair[0] - pair[1]).flatten(1)
    assert torch.allclose(build().errors(*pair), difference.abs().sum(1))
    assert torch.allclose(build(pixel="l2").errors(*pair), difference.square().sum(1))


def test_perceptual_errors_are_those_of_the_metric(pair: Pair) -> None:
    objective = build(perceptual_weight=2.0, adversarial_weight=0.0)
    expected = load_lpips("vgg", torch.device("cpu"))(*pair).flatten()
    errors = objective.errors(*pair) - (pair[0] - pair[1]).abs().flatten(1).sum(1)
    assert torch.allclose(errors / (2 * 3 * 16 * 16), expected, rtol=1e-3)
    assert not objective.state_dict()
    flat = torch.full((1, 3, 16, 16), -1.0, requires_grad=True)
    objective.errors(flat, torch.zeros(1, 3, 16, 16)).sum().backward()
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize("generator", ["hinge", "non_saturating"])
@pytest.mark.parametrize("discriminator", ["hinge", "non_saturating"])
def test_losses_by_their_definition(generator: str, discriminator: str, pair: Pair) -> None:
    output, target = pair
    objective = build(generator_loss=generator, discriminator_loss=discriminator, adversarial_weight=0.5)
    objective.anneal(0, 10)
    assert objective.opponent is not None
    with torch.no_grad():
        fake, real = objective.opponent.judges(output), objective.opponent.judges(target)
    expected = {"hinge": -fake.mean(), "non_saturating": -F.logsigmoid(fake.mean((1, 2, 3))).mean()}[generator]
    assert float(objective.extra(output, target)["adversarial"]) == pytest.approx(0.5 * float(expected), rel=1e-5)
    both = {
        "hinge": ((1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()) / 2,
        "non_saturating": -(F.logsigmoid(real).mean() + F.logsigmoid(-fake).mean()) / 2,
    }[discriminator]
    assert float(objective.learn(output, target)["discriminator"]) == pytest.approx(float(both), rel=1e-5)


def test_nothing_is_judged_before_the_start_and_rates_count_from_it(pair: Pair) -> None:
    objective = build(start=3, warmup_steps=2, schedule="linear")
    objective.anneal(2, 9)
    assert objective.extra(*pair) == {} == objective.learn(*pair)
    rates = []
    for step in range(3, 9):
        objective.anneal(step, 9)
        assert set(objective.learn(*pair)) == {"discriminator"}
        assert objective.opponent is not None
        rates.append(objective.opponent.optimizer.param_groups[0]["lr"] / 0.01)
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.5, 0.25])


def test_the_model_gets_a_gradient_and_the_discriminator_none_from_it(pair: Pair) -> None:
    output = pair[0].requires_grad_()
    objective = build()
    objective.anneal(0, 10)
    objective.extra(output, pair[1])["adversarial"].backward()
    assert output.grad is not None
    assert (output.grad != 0).any()
    assert all(p.grad is None and p.requires_grad for p in objective.parameters())


def test_an_adaptive_weight_balances_the_gradients_at_the_last_layer(pair: Pair) -> None:
    layer = torch.nn.Conv2d(3, 3, 1)
    objective = build(weighting="adaptive", adversarial_weight=0.8, generator_loss="hinge")
    objective.watch(layer.weight)
    objective.anneal(0, 10)
    output = layer(pair[0])
    reconstruction = objective.errors(output, pair[1]).mean() / output[0].numel()
    adversarial = objective.extra(output, pair[1])["adversarial"]
    norms = [
        torch.autograd.grad(value, layer.weight, retain_graph=True)[0].norm() for value in (reconstruction, adversarial)
    ]
    assert float(norms[1] / norms[0]) == pytest.approx(0.8, rel=0.05)  # but for the 1e-4 beside a small norm
    assert objective.learn(output.detach(), pair[1])["adversarial_share"] > 0


def test_a_model_without_a_last_layer_has_a_fixed_weight() -> None:
    build().watch(None)
    with pytest.raises(UsageError, match="`weighting: adaptive` needs a model with a last layer"):
        build(weighting="adaptive").watch(None)


def test_state_and_optimiser_come_back(pair: Pair, whole_and_resumed: Any) -> None:
    def make() -> PerceptualAdversarial:
        return build(schedule="cosine")

    whole, second = whole_and_resumed(make, make, pair)
    for (name, value), again in zip(whole.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(value, again), name


def test_a_patch_sees_seventy_pixels_and_the_least_image_has_one() -> None:
    torch.manual_seed(0)
    judge = PatchGAN(3, 1, 3)
    for side, scores in ((24, 1), (70, 6), (128, 14)):
        assert judge(torch.randn(2, 3, side, side)).shape == (2, 1, scores, scores)
    assert least_side(3) == 24
    weights = [module.weight.detach() for module in judge.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [tuple(weight.shape[:2]) for weight in weights] == [(1, 3), (2, 1), (4, 2), (8, 4), (1, 8)]
    assert float(torch.cat([weight.flatten() for weight in weights]).std()) == pytest.approx(0.02, rel=0.1)


def test_batch_norm_is_torch_s() -> None:
    torch.manual_seed(0)
    features, ours, theirs = torch.randn(4, 3, 5, 5), BatchNorm(3), torch.nn.BatchNorm2d(3)
    theirs.load_state_dict(ours.state_dict(), strict=False)
    assert torch.allclose(ours(features), theirs(features), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pixel": "l3"}, "pixel must be one of `l1`, `l2`"),
        ({"weighting": "adaptiv"}, "did you mean `adaptive`"),
        ({"generator_loss": "wasserstein"}, "generator_loss must be one of `hinge`, `non_saturating`"),
        ({"betas": [0.5]}, "betas must be Adam's two"),
        ({"betas": [0.5, 1.0]}, "each of the betas must be between 0 and"),
        ({"start": -1}, "start must be a whole number of at least 0"),
        ({"schedule": "step"}, "schedule must be one of `constant`, `cosine`, `linear`"),
        ({"discriminator_layers": 0}, "discriminator_layers must be a whole number from 1 to 8"),
    ],
)
def test_what_is_typed_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        objectives.resolve("perceptual_adversarial", options)


def test_images_that_are_too_small() -> None:
    with pytest.raises(UsageError, match="images of 16x16 pixels are too small .* which need 24"):
        build(discriminator_layers=3)
    with pytest.raises(UsageError, match="LPIPS is for grey or colour images, of 1 or 3 channels, not 4"):
        build(shape=(4, 16, 16), perceptual_weight=1.0)
