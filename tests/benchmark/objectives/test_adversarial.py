"""The adversarial objective: hinge losses, a start and a warm-up, and a state that resumes to the last digit."""

import pytest
import torch

from benchmark.objectives import adversarial, objectives
from benchmark.objectives.adversarial import AdversarialMel
from benchmark.objectives.parts.discriminators import BandDiscriminator, PeriodDiscriminator

OPTIONS = {"discriminator_width": 1, "windows": [512], "bands": [16], "learning_rate": 0.01, "warmup_steps": 4}


def build(**options: object) -> AdversarialMel:
    torch.manual_seed(0)
    made = objectives.create("adversarial_mel", {**OPTIONS, **options}, variance=0.1, sample_rate=8000)
    assert isinstance(made, AdversarialMel)
    return made


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 1, 2400, generator=generator) / 5, torch.randn(2, 1, 2400, generator=generator) / 5


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two discriminators of each kind, where it is not they that are tested."""
    monkeypatch.setattr(adversarial, "PERIODS", (2, 5))
    monkeypatch.setattr(adversarial, "RESOLUTIONS", (512, 256))


def test_nothing_is_judged_before_the_start(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    objective = build(start=3)
    before = [p.clone() for p in objective.opponent.judges.parameters()]
    objective.anneal(2, 10)
    assert objective.extra(*pair) == {}
    assert objective.learn(*pair) == {}
    assert all(torch.equal(a, b) for a, b in zip(before, objective.opponent.judges.parameters(), strict=True))
    objective.anneal(3, 10)
    assert set(objective.extra(*pair)) == {"adversarial", "features"}
    assert set(objective.learn(*pair)) == {"discriminator"}
    assert objective.opponent.optimizer.param_groups[0]["lr"] == pytest.approx(0.0025)


def test_hinge_losses_by_their_definition(pair: tuple[torch.Tensor, torch.Tensor], fewer: None) -> None:
    output, target = pair
    objective = build(adversarial_weight=1.0, feature_weight=1.0, spectra_weight=0.5)
    objective.anneal(0, 10)
    with torch.no_grad():
        fake, real = objective.opponent.judges(output), objective.opponent.judges(target)
    kinds = [torch.stack([(1 - maps[-1]).relu().mean() for maps in judges]).mean() for judges in fake]
    assert float(objective.extra(output, target)["adversarial"]) == pytest.approx(float(kinds[0] + 0.5 * kinds[1]))
    hinges = [
        torch.stack([(1 - r[-1]).relu().mean() + (1 + f[-1]).relu().mean() for r, f in zip(rs, fs, strict=True)]).mean()
        for rs, fs in zip(real, fake, strict=True)
    ]
    assert float(objective.learn(output, target)["discriminator"]) == pytest.approx(float(hinges[0] + 0.5 * hinges[1]))
    objective = build()
    assert float(objective.extra(target, target)["features"]) == 0


def test_the_model_gets_a_gradient_and_the_discriminators_get_none_from_it(
    pair: tuple[torch.Tensor, torch.Tensor], fewer: None
) -> None:
    output, target = pair[0].requires_grad_(), pair[1]
    objective = build()
    objective.anneal(0, 10)
    sum(objective.extra(output, target).values()).backward()
    assert output.grad is not None
    assert (output.grad != 0).any()
    assert all(p.grad is None for p in objective.opponent.judges.parameters())


def test_the_discriminators_learn_to_tell_apart(pair: tuple[torch.Tensor, torch.Tensor], fewer: None) -> None:
    objective = build(learning_rate=0.02)
    losses = []
    for step in range(15):
        objective.anneal(step, 15)
        losses.append(float(objective.learn(*pair)["discriminator"]))
    assert losses[-1] < 0.8 * losses[0]


def test_state_and_optimiser_come_back(pair: tuple[torch.Tensor, torch.Tensor], fewer: None, whole_and_resumed) -> None:
    def other() -> AdversarialMel:  # with weights of its own, until it has those of the state
        return objectives.create("adversarial_mel", OPTIONS, variance=0.1, sample_rate=8000)

    whole, second = whole_and_resumed(build, other, pair)
    again = second.opponent.judges.state_dict()
    for name, value in whole.opponent.judges.state_dict().items():
        assert torch.equal(value, again[name]), name


def test_a_discriminator_hears_no_loudness_in_a_spectrum(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    judge = BandDiscriminator(256, 2)
    assert torch.allclose(judge(pair[0])[-1], judge(pair[0] / 3)[-1], atol=1e-5)


def test_a_period_sees_every_nth_sample(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    judge = PeriodDiscriminator(3, 2)
    changed = pair[0].clone()
    changed[..., 1::3] += 1
    columns = (judge(pair[0])[-1] - judge(changed)[-1]).abs().amax((0, 1, 2))
    assert (columns > 0).tolist() == [False, True, False]
