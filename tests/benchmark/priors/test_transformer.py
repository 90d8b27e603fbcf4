import itertools
import math
import sys
from importlib.util import find_spec

import pytest
import torch
from scipy.stats import chi2

from benchmark.priors.code_length import bits_per_dimension, pixel_nats
from benchmark.priors.transformer import TransformerPrior
from methods import UsageError

needs_extra = pytest.mark.skipif(
    find_spec("x_transformers") is None,
    reason="needs x-transformers, of the extra [generation]",
)
ALL = torch.tensor(list(itertools.product(range(3), repeat=4)))
"""Every sequence of 2 × 2 codes out of three."""


@pytest.fixture
def prior() -> TransformerPrior:
    """One of two classes with weights that make codes depend on each other."""
    torch.manual_seed(0)
    made = TransformerPrior((3,), (2, 2), classes=2, layers=2, width=16, heads=2).eval()
    torch.nn.init.normal_(made.head.weight)
    torch.nn.init.normal_(made.codes.weight)
    torch.nn.init.normal_(made.first.weight)
    return made


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "x_transformers", None)
    with pytest.raises(UsageError, match=r"of the extra \[generation\]"):
        TransformerPrior((3,), (2, 2), width=8, heads=2)


@needs_extra
@torch.no_grad()
def test_code_length_against_the_sum_over_all_81_sequences(prior: TransformerPrior) -> None:
    labels = torch.zeros(81, dtype=torch.int64)
    nats = prior.nats(ALL, labels)
    assert nats.shape == (81, 4)
    shares = (-nats.double().sum(1)).exp()
    assert float(shares.sum()) == pytest.approx(1, abs=1e-6)
    assert float(shares.max()) > 2 * float(shares.min())

    # Images of 2 × 2 grey levels whose decoder says a mean for every code.
    scale, grey = 0.3, torch.tensor([-0.8, 0.0, 0.8])
    image = torch.tensor([[20, 130, 250, 120]])
    pixels = pixel_nats(grey[ALL], image.expand(81, 4), scale).sum(1)
    exact = -torch.logsumexp(shares.log() - pixels, 0) / (4 * math.log(2))
    chosen = int((pixels - shares.log()).argmin())
    found = bits_per_dimension(nats[[chosen]], pixel_nats(grey[ALL[[chosen]]], image, scale))
    assert found == pytest.approx(float(pixels[chosen] - shares[chosen].log()) / (4 * math.log(2)), rel=1e-6)
    assert float(exact) < found < float(exact) + math.log2(81) / 4


@needs_extra
@torch.no_grad()
def test_a_code_depends_on_those_before_it_and_on_the_class_alone(prior: TransformerPrior) -> None:
    labels = torch.zeros(1, dtype=torch.int64)
    before, after = (prior(torch.tensor([codes]), labels) for codes in ([0, 1, 2, 0], [0, 1, 0, 1]))
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])
    assert not torch.allclose(before[:, 0], prior(torch.tensor([[0, 1, 2, 0]]), labels + 1)[:, 0])


@needs_extra
@torch.no_grad()
def test_samples_by_the_cache_have_the_frequencies_of_the_whole_forward_pass(prior: TransformerPrior) -> None:
    count, generator = 10_000, torch.Generator().manual_seed(1)
    drawn = prior.sample(count, generator, torch.ones(count, dtype=torch.int64))
    number = (drawn * torch.tensor([27, 9, 3, 1])).sum(1)
    found = torch.bincount(number, minlength=81).double()
    expected = count * (-prior.nats(ALL, torch.ones(81, dtype=torch.int64)).double().sum(1)).exp()
    common = expected >= 10  # of rarer ones a single draw is far from any normal distribution
    assert float(expected[common].sum()) > 0.97 * count
    found = torch.cat([found[common], found[~common].sum()[None]])
    expected = torch.cat([expected[common], expected[~common].sum()[None]])
    assert len(found) > 20
    assert chi2.sf(float(((found - expected).square() / expected).sum()), len(found) - 1) > 0.001


@needs_extra
def test_a_prior_of_uniform_random_codes_reaches_log_k_and_not_less() -> None:
    torch.manual_seed(0)
    prior = TransformerPrior((8,), (2, 3), layers=1, width=16, heads=2)
    optimizer = torch.optim.Adam(prior.parameters(), lr=3e-3)
    for _ in range(60):
        loss = prior.nats(torch.randint(0, 8, (64, 6))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fresh = torch.randint(0, 8, (2000, 6))
    with torch.no_grad():
        found = float(prior.nats(fresh).mean())
    assert math.log(8) - 0.001 < found < math.log(8) + 0.02


@needs_extra
def test_arms_differ_in_embedding_and_head_alone() -> None:
    small, large = (TransformerPrior((size,), (7, 7), layers=1, width=16, heads=2) for size in (16, 64))
    weights = [sum(value.numel() for value in prior.parameters()) for prior in (small, large)]
    assert weights[1] - weights[0] == 48 * (16 + 16 + 1)
