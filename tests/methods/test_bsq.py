"""BSQ: the sphere, the gradient's scale, and the loss against a softmax over all codes in float64."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from methods import UsageError, create
from methods.bsq import BSQ

BITS = 5


def build(**params) -> BSQ:
    """A quantizer of 32 codes whose projections are the identity."""
    quantizer = create("bsq", 2**BITS, BITS, **params)
    with torch.no_grad():
        for projection in (quantizer.project_in, quantizer.project_out):
            projection.weight.copy_(torch.eye(BITS))
            projection.bias.zero_()
    return quantizer


def draw(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, BITS, generator=torch.Generator().manual_seed(seed))


def test_output_has_norm_one_and_the_signs_of_the_latent():
    latents = draw(50)
    result = build().eval()(latents)
    assert torch.allclose(result.latents, latents.sign() / math.sqrt(BITS))
    assert torch.allclose(result.latents.norm(dim=-1), torch.ones(50))
    bits = (latents > 0).long() @ torch.tensor([1, 2, 4, 8, 16])
    assert torch.equal(result.codes.squeeze(-1), bits)


def test_gradient_is_scaled_by_one_over_the_root_of_the_bits():
    quantizer = build(loss_weight=0.0)
    latents, direction = draw(20), draw(20, seed=1)
    ours, theirs = latents.clone().requires_grad_(), latents.clone().requires_grad_()
    (found,) = torch.autograd.grad(quantizer(ours).latents, ours, direction)
    (expected,) = torch.autograd.grad(normalize(theirs, dim=-1), theirs, direction / math.sqrt(BITS))
    assert torch.allclose(found, expected, atol=1e-7)


def test_loss_against_a_softmax_over_all_codes():
    quantizer = build(loss_weight=0.7, beta=0.25, ramp_share=0)
    latents = draw(40)
    result = quantizer(latents)
    unit = normalize(latents.double(), dim=-1)
    codebook = quantizer.look_up(torch.arange(32)).double()
    assignment = (-torch.cdist(unit, codebook).square()).softmax(1)
    sample = -(assignment * assignment.log()).sum(1).mean()
    set_bits = assignment.mean(0) @ (codebook > 0).double()
    by_bits = -(set_bits * set_bits.log() + (1 - set_bits) * (1 - set_bits).log()).sum()
    commitment = (latents.double().sign() / math.sqrt(BITS) - unit).square().sum(1).mean()
    expected = 0.7 * (0.25 * commitment + sample - by_bits)
    assert float(result.log["sample_entropy"]) == pytest.approx(float(sample), rel=1e-5)
    assert float(result.log["codebook_entropy"]) == pytest.approx(float(by_bits), rel=1e-5)
    assert float(result.loss.detach()) == pytest.approx(float(expected), rel=1e-4)
    assert 0 <= float(sample) <= float(by_bits) <= BITS * math.log(2)


def test_ramp_of_the_weight():
    quantizer = build(loss_weight=0.1, ramp_start=3.0, ramp_share=0.2)
    for total_steps in (100, 10_000):
        weights = []
        for step in (0, total_steps // 20, total_steps // 10, total_steps // 5, total_steps - 1):
            quantizer.anneal(step, total_steps)
            weights.append(quantizer.weight)
        assert weights == pytest.approx([0.3, 0.25, 0.2, 0.1, 0.1])


def test_ramp_by_default_is_the_authors_in_their_million_steps_and_the_first_step_of_a_short_run():
    quantizer, weights = build(), []
    for step, total_steps in ((0, 1_000_000), (1000, 1_000_000), (2000, 1_000_000), (0, 1), (0, 400), (1, 400)):
        quantizer.anneal(step, total_steps)
        weights.append(quantizer.weight)
    assert weights == pytest.approx([0.3, 0.2, 0.1, 0.3, 0.3, 0.1])


@pytest.mark.parametrize("share", [-0.1, 1.5, 2000])
def test_a_ramp_that_is_no_share_is_refused(share):
    with pytest.raises(UsageError, match=rf"ramp_share must be between 0 and 1, not {share}"):
        build(ramp_share=share)


def test_a_latent_of_zero_gets_code_zero():
    result = build().eval()(torch.zeros(2, BITS))
    assert result.codes.squeeze(-1).tolist() == [0, 0]
    assert torch.allclose(result.latents, torch.full((2, BITS), -1 / math.sqrt(BITS)))


def test_sizes():
    assert BSQ.resolve_size(2**36) == (2**36,)
    assert create("bsq", 2**36, 4).codewords() is None
    with pytest.raises(UsageError, match="such as 512 or 1,024, not 1,000"):
        create("bsq", 1000, 8)
    with pytest.raises(UsageError, match="at least 4"):
        create("bsq", 2, 8)


def test_codes_of_36_bits_are_exact():
    quantizer = create("bsq", 2**36, 4)
    codes = torch.tensor([0, 1, 2**36 - 1, 2**35 + 7, 68_719_476_735 // 3])
    assert torch.equal(quantizer.assign(quantizer.look_up(codes)), codes)
