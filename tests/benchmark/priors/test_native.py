import itertools
import math
from importlib.util import find_spec

import pytest
import torch
from scipy.stats import chi2

from benchmark.priors.joint_codes import JointCodes, number_of
from benchmark.priors.native import NativePrior
from methods import create, get

pytestmark = pytest.mark.skipif(
    find_spec("x_transformers") is None, reason="needs x-transformers, of the extra [generation]"
)
DIGITS = (2, 3)
ALL = torch.tensor(list(itertools.product(range(6), repeat=2)))
"""Every sequence of two codes of a bit and a digit of three."""


@pytest.fixture
def prior() -> NativePrior:
    """One of two classes, guided, with weights that make digits depend on each other."""
    torch.manual_seed(0)
    made = NativePrior(
        DIGITS, (1, 2), classes=2, guided=True, layers=1, width=16, heads=2, depth_width=8, depth_heads=2
    ).eval()
    for part in (*made.head, *made.codes, made.first):
        torch.nn.init.normal_(part.weight)  # type: ignore[arg-type]
    return made


@torch.no_grad()
def test_shares_sum_to_one_over_all_sequences(prior: NativePrior) -> None:
    nats = prior.nats(ALL, torch.zeros(36, dtype=torch.int64))
    assert nats.shape == (36, 2)
    shares = (-nats.double().sum(1)).exp()
    assert float(shares.sum()) == pytest.approx(1, abs=1e-6)
    assert float(shares.max()) > 2 * float(shares.min())


@torch.no_grad()
def test_a_digit_depends_on_those_before_it_in_its_own_position(prior: NativePrior) -> None:
    label = torch.zeros(1, dtype=torch.int64)
    # p(second digit | first digit) = p(both) / Σ p(both), which differs with the first digit.
    shares = (-prior.nats(torch.arange(6)[:, None].expand(6, 2), label.expand(6))[:, 0]).exp().reshape(DIGITS)
    given = shares / shares.sum(1, keepdim=True)
    assert not torch.allclose(given[0], given[1], rtol=0.05)
    before, after = (prior.nats(torch.tensor([codes]), label)[:, 0] for codes in ([4, 0], [4, 5]))
    torch.testing.assert_close(before, after)


@torch.no_grad()
def test_samples_by_two_caches_have_the_frequencies_of_the_whole_forward_pass(prior: NativePrior) -> None:
    count = 6_000
    drawn = prior.sample(count, torch.Generator().manual_seed(1), torch.ones(count, dtype=torch.int64))
    found = torch.bincount(number_of(drawn, (6, 6)), minlength=36).double()
    expected = count * (-prior.nats(ALL, torch.ones(36, dtype=torch.int64)).double().sum(1)).exp()
    common = expected >= 10
    found = torch.cat([found[common], found[~common].sum()[None]])
    expected = torch.cat([expected[common], expected[~common].sum()[None]])
    assert chi2.sf(float(((found - expected).square() / expected).sum()), len(found) - 1) > 0.001


@torch.no_grad()
def test_a_guided_sample_mixes_the_logits_of_each_digit(prior: NativePrior) -> None:
    count, strength = 4_000, 2.0
    told, none = (
        (-prior.nats(torch.arange(6)[:, None].expand(6, 2), torch.full((6,), label))[:, 0]).double().reshape(DIGITS)
        for label in (1, 2)
    )  # log p(both digits) of the first position
    mixed = []
    for logs in ((told.exp().sum(1).log(), none.exp().sum(1).log()), (told, none)):
        mixed.append((logs[1] + strength * (logs[0] - logs[1])).softmax(-1))
    expected = count * (mixed[0][:, None] * mixed[1]).flatten()
    labels = torch.ones(count, dtype=torch.int64)
    drawn = prior.sample(count, torch.Generator().manual_seed(2), labels, guidance=strength)[:, 0]
    found = torch.bincount(drawn, minlength=6).double()
    assert chi2.sf(float(((found - expected).square() / expected).sum()), 5) > 0.001


def test_an_untrained_prior_knows_nothing() -> None:
    prior = NativePrior((2,) * 18, (2, 2), layers=1, width=8, heads=2, depth_width=8, depth_heads=2)
    nats = prior.nats(torch.randint(2**18, (3, 4)))
    torch.testing.assert_close(nats, torch.full((3, 4), 18 * math.log(2)))


@pytest.mark.parametrize(
    ("method", "size", "params", "digits"),
    [
        ("fsq", 65_536, {}, (5, 5, 5, 8, 8, 8)),
        ("lfq", 16_384, {}, (2,) * 14),
        ("bsq", 16_384, {}, (2,) * 14),
        ("residual_vq", 4**4, {"depth": 4}, (4,) * 4),
        ("residual_fsq", 2**16, {"depth": 2}, (5, 6, 8) * 2),
        ("vq_vae", 64, {}, (64,)),
    ],
)
def test_digits_of_methods(method: str, size: int, params: dict[str, int], digits: tuple[int, ...]) -> None:
    kind = get(method)
    assert kind.resolve_digits(size, **params) == digits
    joint = JointCodes(kind.resolve_size(size, **params), digits)
    assert math.prod(digits) == joint.size
    assert joint.digits == digits


def test_digits_are_what_the_codes_are_made_of() -> None:
    quantizer = create("fsq", 256, 4)
    codes = torch.arange(240)
    sizes = type(quantizer).resolve_digits(256)
    columns = [codes // math.prod(sizes[place + 1 :]) % size for place, size in enumerate(sizes)]
    points = quantizer.look_up(codes)  # type: ignore[operator]
    for channel, column in zip(points.unbind(-1), reversed(columns), strict=True):
        assert len({(int(digit), float(point)) for digit, point in zip(column, channel, strict=True)}) == len(
            set(column.tolist())
        )
