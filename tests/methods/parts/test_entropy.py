"""Entropies over bits against the full softmax over all patterns in float64."""

import math

import pytest
import torch

from methods.parts.entropy import bit_entropies, entropy, mean_bit_probabilities, mean_code_probabilities

N, BITS = 12, 7


def logits(rank: int | None = None) -> torch.Tensor:
    drawn = 2 * torch.randn(N, BITS, generator=torch.Generator().manual_seed(0))
    return drawn if rank is None else drawn[rank * N // 2 : (rank + 1) * N // 2]


def full_softmax(bit_logits: torch.Tensor) -> torch.Tensor:
    """Probabilities ``[N, 2^d]`` of all patterns, each pattern scored by the logits of its set bits."""
    patterns = torch.tensor([[code >> bit & 1 for bit in range(BITS)] for code in range(2**BITS)])
    return (bit_logits.double() @ patterns.double().T).softmax(1)


def test_a_latents_entropy_is_the_sum_over_its_bits():
    full = full_softmax(logits())
    expected = -(full * full.log()).sum(1)
    assert torch.allclose(bit_entropies(logits()).sum(1).double(), expected, atol=1e-5)


def test_mean_over_codes_is_that_of_the_full_softmax():
    assert torch.allclose(mean_code_probabilities(logits()).double(), full_softmax(logits()).mean(0), atol=1e-7)


def test_gradient_of_the_joint_entropy_is_that_of_the_full_softmax():
    ours, theirs = logits().requires_grad_(), logits().requires_grad_()
    entropy(mean_code_probabilities(ours), 1e-5).backward()
    entropy(full_softmax(theirs).mean(0), 1e-5).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)


def test_sum_over_mean_bits_bounds_the_joint_entropy_from_above():
    mean = mean_bit_probabilities(logits())
    by_bits = entropy(mean, 0.0) + entropy(1 - mean, 0.0)
    joint = entropy(mean_code_probabilities(logits()), 0.0)
    assert 0 < float(joint) < float(by_bits) < BITS * math.log(2)


def test_extremes():
    assert bit_entropies(torch.tensor([0.0, 1e6, -1e6, 40.0])).tolist() == pytest.approx(
        [math.log(2), 0, 0, 0], abs=1e-7
    )
    assert float(entropy(mean_code_probabilities(torch.zeros(3, 5)), 0.0)) == pytest.approx(5 * math.log(2))
    sure = torch.full((4, 5), 1e6).requires_grad_()
    (bit_entropies(sure).sum() - entropy(mean_code_probabilities(sure), 1e-5)).backward()
    assert bool(sure.grad.isfinite().all())


def means_of_half(rank: int) -> dict[str, torch.Tensor]:
    part = logits(rank).requires_grad_()
    codes, bits = mean_code_probabilities(part), mean_bit_probabilities(part)
    entropy(codes, 1e-5).backward()
    return {"codes": codes.detach(), "bits": bits.detach(), "gradient": part.grad / 2}


def test_two_processes_see_one_distribution(in_two_processes):
    halves = in_two_processes("means_of_half")
    whole = logits().requires_grad_()
    mean = mean_code_probabilities(whole)
    entropy(mean, 1e-5).backward()
    for half in halves:
        assert float(half["codes"].sum()) == pytest.approx(1, abs=1e-6)
        assert torch.allclose(half["codes"], mean.detach(), atol=1e-7)
        assert torch.allclose(half["bits"], mean_bit_probabilities(logits()), atol=1e-7)
    assert torch.allclose(torch.cat([half["gradient"] for half in halves]), whole.grad, atol=1e-7)
