"""Entropies over bits against the full softmax over all patterns in float64."""

import math

import pytest
import torch

from methods import UsageError, create, get
from methods.parts.entropy import (
    bit_entropies,
    entropy,
    mean_bit_probabilities,
    mean_code_probabilities,
    soft_assignment_entropies,
)

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


@pytest.mark.parametrize("rows_at_once", [1 << 20, 64])
def test_entropies_of_soft_assignments_are_those_of_the_whole_matrix(rows_at_once, monkeypatch):
    monkeypatch.setattr("methods.parts.entropy.chunk_elements", lambda device: rows_at_once)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(30, 5, dtype=torch.float64, generator=generator).requires_grad_()
    codewords = torch.randn(12, 5, dtype=torch.float64, generator=generator).requires_grad_()
    logits = -(latents[:, None] - codewords).square().sum(2) / 0.7
    assigned = logits.softmax(1)
    expected = [entropy(assigned, 0.0).mean(), entropy(assigned.mean(0), 1e-5)]
    found = soft_assignment_entropies(latents, codewords, 0.7, 1e-5)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
        slopes = [torch.autograd.grad(each, [latents, codewords], retain_graph=True) for each in (one, other)]
        torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-5, atol=1e-6)


def test_entropies_join_the_loss_in_training_alone():
    torch.manual_seed(0)
    quantizer, latents = create("vq_vae", 16, 4, init="normal", entropy_weight=0.3).train(), torch.randn(20, 4)
    sample, codebook = soft_assignment_entropies(latents, quantizer.codebook, 0.01, 1e-5)
    result, plain = quantizer(latents), quantizer.eval()(latents)
    torch.testing.assert_close(result.loss, plain.loss + 0.3 * (sample - codebook))
    assert {"sample_entropy", "codebook_entropy"} <= set(result.log)


@pytest.mark.parametrize("name", ["vq_vae", "simvq", "factorized_vq"])
def test_a_softmax_too_large_is_refused_by_number(name):
    with pytest.raises(
        UsageError, match=rf"softmax over all 524,288 codes of `{name}` .* up to 262,144; `lfq` and `bsq`"
    ):
        get(name).resolve_size(1 << 19, entropy_weight=0.1)
    with pytest.raises(UsageError, match="declared up to 16,384 on a CPU"):
        get(name).check_on_cpu(1 << 16, entropy_weight=0.1)
    assert get(name).resolve_size(1 << 19) == (1 << 19,)


OTHERS = ["vq_vae", "simvq", "dimvq", "affine_vq", "fvq", "trans_vq", "vqgan_lc", "wasserstein_vq", "factorized_vq"]


@pytest.mark.parametrize("name", OTHERS)
def test_every_trained_codebook_takes_entropies_that_reach_latents_and_codewords(name):
    losses, slopes = [], []
    for weight in (0.0, 0.5):
        torch.manual_seed(0)
        quantizer = create(name, 64, 8, entropy_weight=weight, entropy_temperature=0.5).train()
        with torch.no_grad():
            for parameter in quantizer.parameters():  # the codewords of fvq all start at zero
                parameter.add_(0.1 * torch.randn_like(parameter))
        latents = torch.randn(20, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        result = quantizer(latents)
        result.loss.backward()
        losses.append(result.loss.item() - weight * sum(difference(result.log)))
        slopes.append([latents.grad, *(each.grad for each in quantizer.parameters() if each.grad is not None)])
        assert quantizer.eval()(latents).log.keys() & {"sample_entropy"} == set()
    assert losses[1] == pytest.approx(losses[0], rel=1e-4, abs=1e-5)
    assert all(not torch.equal(one, other) for one, other in zip(slopes[0][:2], slopes[1][:2], strict=True))


def difference(log):
    return (log["sample_entropy"].item(), -log["codebook_entropy"].item()) if "sample_entropy" in log else (0.0,)


@pytest.mark.parametrize("name", ["vq_vae", "simvq", "factorized_vq", "lfq"])
def test_the_weight_falls_from_its_start_over_its_share_of_the_run(name):
    torch.manual_seed(0)
    params = {"entropy_weight": 0.5, "entropy_start": 3.0, "entropy_share": 0.5}
    quantizer, latents = create(name, 16, 4, **params).train(), torch.randn(20, 4)
    found = []
    for step in (0, 25, 50, 99):
        quantizer.anneal(step, 100)
        result = quantizer(latents)
        found.append((result.loss.item(), sum(difference(result.log))))
    plain = found[-1][0] - 0.5 * found[-1][1]
    for (loss, entropies), factor in zip(found, (3.0, 2.0, 1.0, 1.0), strict=True):
        assert loss == pytest.approx(plain + factor * 0.5 * entropies, abs=1e-5)


@pytest.mark.parametrize("name", ["fvq", "vqgan_lc", "affine_vq"])
def test_sizes_of_methods_with_rules_of_their_own_are_refused_too(name):
    with pytest.raises(UsageError, match="entropy_weight needs a softmax over all 1,048,576 codes"):
        get(name).resolve_size(1 << 20, entropy_weight=0.1)


@pytest.mark.parametrize(("name", "value"), [("entropy_start", -1.0), ("entropy_share", 1.5)])
def test_a_fall_out_of_range_is_refused(name, value):
    with pytest.raises(UsageError, match=f"{name} must be"):
        create("vq_vae", 16, 4, entropy_weight=0.1, **{name: value})
