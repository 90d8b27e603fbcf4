"""LFQ: sign patterns, their order, and the loss against a softmax over all codes in float64."""

import pytest
import torch

from methods import UsageError, create
from methods.lfq import LFQ

BITS = 6


def build(**params) -> LFQ:
    """A quantizer of 64 codes whose projections are the identity."""
    quantizer = create("lfq", 2**BITS, BITS, **params)
    with torch.no_grad():
        for projection in (quantizer.project_in, quantizer.project_out):
            projection.weight.copy_(torch.eye(BITS))
            projection.bias.zero_()
    return quantizer


def draw(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, BITS, generator=torch.Generator().manual_seed(seed))


def test_code_is_the_sign_pattern_lowest_bit_first_and_zero_is_negative():
    latents = torch.tensor([[1.0, -1, -1, -1, -1, -1], [-1, 0, 3, -1, -1, 2], [0.0] * 6, [1e-30] * 6])
    quantizer = build().eval()
    result = quantizer(latents)
    assert result.codes.squeeze(-1).tolist() == [1, 4 + 32, 0, 63]
    assert result.latents.tolist() == [[1, -1, -1, -1, -1, -1], [-1, -1, 1, -1, -1, 1], [-1] * 6, [1] * 6]


def test_codes_and_sign_patterns_are_one_to_one():
    quantizer = create("lfq", 4096, 3)
    signs = quantizer.look_up(torch.arange(4096))
    assert len(signs.unique(dim=0)) == 4096
    assert torch.equal(quantizer.assign(signs), torch.arange(4096))
    assert set(signs.unique().tolist()) == {-1.0, 1.0}


def test_loss_against_a_softmax_over_all_codes():
    quantizer = build(temperature=0.5, commitment_weight=2.0, entropy_weight=3.0)
    latents = draw(30)
    result = quantizer(latents)
    z, codebook = latents.double(), quantizer.look_up(torch.arange(64)).double()
    # Minus the squared distance over the temperature, whose terms other than 2 z·c are the same for all codes.
    assignment = (-torch.cdist(z, codebook).square() / 0.5).softmax(1)
    sample = -(assignment * assignment.log()).sum(1).mean()
    mean = assignment.mean(0)
    codebook_entropy = -(mean * (mean + 1e-5).log()).sum()
    commitment = (z - z.sign()).square().mean()
    assert float(result.log["sample_entropy"]) == pytest.approx(float(sample), rel=1e-5)
    assert float(result.log["codebook_entropy"]) == pytest.approx(float(codebook_entropy), rel=1e-5)
    expected = 2 * commitment + 3 * (sample - codebook_entropy)
    assert float(result.loss.detach()) == pytest.approx(float(expected), rel=1e-5)


def test_gradient_passes_straight_through():
    quantizer = build(commitment_weight=0.0, entropy_weight=0.0)
    latents, direction = draw(20).requires_grad_(), draw(20, seed=1)
    (found,) = torch.autograd.grad(quantizer(latents).latents, latents, direction)
    assert torch.equal(found, direction)


def test_entropy_loss_pulls_latents_off_a_shared_code():
    """All latents positive in every channel: the loss must push some of them to other signs."""
    quantizer = build(temperature=1.0, commitment_weight=0.0)
    latents = (0.1 + 0.05 * draw(256).abs()).requires_grad_()
    optimiser = torch.optim.SGD([latents], lr=200.0)
    for _ in range(100):
        optimiser.zero_grad()
        quantizer(latents).loss.backward()
        optimiser.step()
    assert len(quantizer.encode(latents).unique()) > 48


@pytest.mark.parametrize(
    ("size", "message"),
    [(100, "such as 64 or 128, not 100"), (1, "at least 2"), (2**21, "declared up to 1,048,576")],
)
def test_sizes_that_cant_be_had(size, message):
    with pytest.raises(UsageError, match=message):
        create("lfq", size, 8)
