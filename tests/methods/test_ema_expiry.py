"""EMA with expiry: against the recursion written out in fp64, its start, and EnCodec's fault."""

import pytest
import torch
from torch.nn.functional import one_hot

from methods import UsageError, create

N, K, D = 60, 12, 3


def build(**params):
    torch.manual_seed(0)
    quantizer = create("ema_expiry", K, D, **params)
    quantizer.initialise(iter([batch(100 + i) for i in range(3)]))
    return quantizer.train()


def batch(seed: int) -> torch.Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed))


def nearest(latents: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    return (latents.double()[:, None] - codebook.double()).square().sum(2).argmin(1)


def reference(codebook, counts, sums, latents, *, decay, threshold, epsilon=1e-5):
    """One step in fp64: codes, codebook, counts, sums, and what has expired but is not yet replaced."""
    codes = nearest(latents, codebook)
    chosen = one_hot(codes, K).double()
    counts = decay * counts + (1 - decay) * chosen.sum(0)
    sums = decay * sums + (1 - decay) * chosen.T @ latents.double()
    total = counts.sum()
    codebook = sums / ((counts + epsilon) / (total + K * epsilon) * total)[:, None]
    return codes, codebook, counts, sums, counts < threshold


def test_steps_equal_the_recursion_and_what_expired_is_a_latent_of_the_batch() -> None:
    quantizer = build(decay=0.7, threshold=3.0)
    codebook = quantizer.codebook.double()
    counts = one_hot(nearest(batch(0), codebook), K).double().sum(0)
    sums, replaced = counts[:, None] * codebook, 0
    for step in range(8):
        latents = batch(step)
        result = quantizer(latents)
        codes, codebook, counts, sums, expired = reference(codebook, counts, sums, latents, decay=0.7, threshold=3.0)
        assert torch.equal(result.codes.squeeze(-1), codes)
        assert result.log["expired"].item() == pytest.approx(expired.float().mean().item())
        torch.testing.assert_close(quantizer.codebook[~expired].double(), codebook[~expired], rtol=1e-5, atol=1e-6)
        for code in expired.nonzero().flatten().tolist():
            assert quantizer.codebook[code].tolist() in latents.tolist()
            codebook[code] = quantizer.codebook[code].double()
            counts[code], sums[code] = 3.0, 3.0 * codebook[code]
            replaced += 1
        torch.testing.assert_close(quantizer.statistics.counts.double(), counts, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(quantizer.statistics.sums.double(), sums, rtol=1e-5, atol=1e-6)
    assert replaced > 5


def test_undone_is_moving_averages_alone() -> None:
    fault, without = build(decay=0.7, threshold=3.0, undone=True), build(decay=0.7, threshold=0.0)
    for step in range(8):
        result = fault(batch(step))
        without(batch(step))
        torch.testing.assert_close(fault.codebook, without.codebook)
    assert result.log["expired"] > 0
    assert torch.equal(fault.statistics.counts, without.statistics.counts)


def test_starts_at_the_counts_of_the_first_batch() -> None:
    quantizer = build(decay=0.5, threshold=0.0)
    codebook = quantizer.codebook.clone()
    expected = one_hot(nearest(batch(0), codebook), K).float().sum(0)
    quantizer(batch(0))
    # 0.5 · first + 0.5 · the same batch; where nothing expires, what the first batch misses begins at a uniform share
    missed = expected == 0
    assert 0 < int(missed.sum()) < K
    torch.testing.assert_close(quantizer.statistics.counts, expected + missed * 0.5 * N / K)


def test_loss_is_the_commitment_and_only_the_latents_get_its_gradient() -> None:
    quantizer, latents = build(beta=2.0), batch(0).requires_grad_()
    error = latents.detach() - quantizer.codebook[nearest(latents.detach(), quantizer.codebook)]
    result = quantizer(latents)
    assert result.loss.item() == pytest.approx(2 * error.square().mean().item(), rel=1e-5)
    result.loss.backward()
    torch.testing.assert_close(latents.grad, 4 * error / (N * D))
    assert not list(quantizer.parameters())


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="threshold must be at least 0, not -1"):
        build(threshold=-1.0)
    with pytest.raises(UsageError, match="decay must be between 0 and"):
        build(decay=1.0)
