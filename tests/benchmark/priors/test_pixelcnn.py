"""The second prior: no position sees itself or what follows, its samples are those of its own likelihood."""

import itertools

import pytest
import torch

from benchmark.priors import create, resolve
from benchmark.priors.pixelcnn import PixelCNNPrior
from methods import UsageError


@pytest.fixture
def prior() -> PixelCNNPrior:
    torch.manual_seed(0)
    made = PixelCNNPrior((3,), (3, 4), classes=2, layers=3, width=8, head=16).eval()
    torch.nn.init.normal_(made.head.weight, std=0.5)
    return made


@torch.no_grad()
def test_every_position_sees_all_before_it_and_nothing_else(prior: PixelCNNPrior) -> None:
    labels = torch.zeros(1, dtype=torch.int64)
    index = torch.zeros(1, 12, dtype=torch.int64)
    usual = prior(index, labels)
    for position in range(12):
        changed = index.clone()
        changed[0, position] = 1
        differs = (prior(changed, labels) != usual).any(2)[0]
        assert not differs[: position + 1].any()
        if position < 11:
            assert differs[position + 1]
    told = (prior(index, labels + 1) != usual).any(2)[0]
    assert told.all()


@torch.no_grad()
def test_shares_of_all_sequences_are_one_and_samples_follow_them() -> None:
    torch.manual_seed(1)
    prior = PixelCNNPrior((2,), (2, 2), layers=2, width=8, head=16).eval()
    torch.nn.init.normal_(prior.head.weight)
    everything = torch.tensor(list(itertools.product(range(2), repeat=4)))
    shares = (-prior.nats(everything).double().sum(1)).exp()
    assert float(shares.sum()) == pytest.approx(1, abs=1e-6)
    drawn = prior.sample(4000, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn @ torch.tensor([8, 4, 2, 1]), minlength=16) / 4000
    assert float((counts - shares).abs().max()) < 0.03


@torch.no_grad()
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_samples_are_those_of_a_whole_pass_for_every_code(guidance: float) -> None:
    torch.manual_seed(2)
    prior = PixelCNNPrior((5,), (3, 4), classes=2, guided=True, layers=3, width=8, head=16).eval()
    torch.nn.init.normal_(prior.head.weight)
    labels = torch.arange(6) % 2
    generator, index = torch.Generator().manual_seed(3), torch.zeros(6, 12, dtype=torch.int64)
    for position in range(12):
        told, none = (prior(index, classes)[:, position] for classes in (labels, torch.full_like(labels, 2)))
        shares = (none + guidance * (told - none)).softmax(1)
        index[:, position] = torch.multinomial(shares, 1, generator=generator)[:, 0]
    drawn = prior.sample(6, torch.Generator().manual_seed(3), labels, guidance=guidance)
    assert drawn.tolist() == index.tolist()


def test_sizes_and_grids() -> None:
    settings = resolve("pixelcnn", {"layers": 2, "width": 8})
    assert settings == {"name": "pixelcnn", "version": 1, "layers": 2, "width": 8, "head": 512}
    small, large = (create(settings, (size,), (2, 2), 0) for size in (16, 64))
    assert small.apart_from_codes() == large.apart_from_codes()
    with pytest.raises(UsageError, match="needs codes on a grid of two axes, not of 1"):
        create(settings, (16,), (5,), 0)
    with pytest.raises(UsageError, match="prior: `layers` must be a whole number from 1 to 256, not 0"):
        resolve("pixelcnn", {"layers": 0})
