"""Moving averages of counts and sums against their closed forms in fp64."""

import numpy as np
import pytest
import torch

from methods.parts.ema import EMAStatistics

K, D, DECAY, EPSILON = 6, 3, 0.9, 1e-5


def batches(steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    # Code 5 is never drawn.
    return [
        (torch.randn(40, D, generator=generator), torch.randint(0, K - 1, (40,), generator=generator))
        for _ in range(steps)
    ]


def of_batch(latents: torch.Tensor, codes: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    counts, sums = np.zeros(K), np.zeros((K, D))
    np.add.at(counts, codes.numpy(), 1)
    np.add.at(sums, codes.numpy(), latents.double().numpy())
    return counts, sums


def smoothed(counts: np.ndarray) -> np.ndarray:
    return (counts + EPSILON) / (counts.sum() + K * EPSILON) * counts.sum()


def test_debiased_averages_equal_the_closed_form():
    statistics = EMAStatistics(torch.randn(K, D), decay=DECAY, epsilon=EPSILON, debias=True)
    data = batches(5)
    for latents, codes in data:
        statistics.update(latents, codes)
    weights = np.array([(1 - DECAY) * DECAY ** (len(data) - 1 - i) for i in range(len(data))])
    weights /= 1 - DECAY ** len(data)
    assert weights.sum() == pytest.approx(1)
    counts = sum(w * of_batch(*pair)[0] for w, pair in zip(weights, data, strict=True))
    sums = sum(w * of_batch(*pair)[1] for w, pair in zip(weights, data, strict=True))
    expected = sums / smoothed(counts)[:, None]
    np.testing.assert_allclose(statistics.means().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_first_debiased_step_gives_the_batch_means_and_zero_for_an_unused_code():
    latents, codes = batches(1)[0]
    statistics = EMAStatistics(torch.randn(K, D), decay=0.99, epsilon=EPSILON, debias=True)
    statistics.update(latents, codes)
    for code in range(K - 1):
        expected = latents[codes == code].double().mean(0)
        torch.testing.assert_close(statistics.means()[code].double(), expected, rtol=1e-4, atol=1e-5)
    assert statistics.means()[K - 1].tolist() == [0.0] * D


def test_without_debias_counts_start_at_zero_and_sums_at_the_codewords():
    codebook = torch.randn(K, D, generator=torch.Generator().manual_seed(2))
    latents, codes = batches(1)[0]
    statistics = EMAStatistics(codebook, decay=DECAY, epsilon=EPSILON, debias=False)
    statistics.update(latents, codes)
    counts, sums = of_batch(latents, codes)
    expected = (DECAY * codebook.double().numpy() + (1 - DECAY) * sums) / smoothed((1 - DECAY) * counts)[:, None]
    np.testing.assert_allclose(statistics.means().numpy(), expected, rtol=1e-5)
    blown_up = statistics.means()[K - 1].norm() / codebook[K - 1].norm()
    assert 1e4 < blown_up < 1e6  # 0.9 e / epsilon: what the docstring of vq_vae_ema warns of


def test_smoothing_keeps_the_total_count():
    statistics = EMAStatistics(torch.randn(K, D), decay=DECAY, epsilon=0.5, debias=False)
    latents, codes = batches(1)[0]
    statistics.update(torch.ones_like(latents), codes)
    smoothed_counts = statistics.sums[:, 0] / statistics.means()[:, 0]
    assert smoothed_counts.sum().item() == pytest.approx(statistics.counts.sum().item(), rel=1e-5)


def test_everything_is_saved():
    statistics = EMAStatistics(torch.randn(K, D), decay=DECAY, epsilon=EPSILON, debias=True)
    assert set(statistics.state_dict()) == {"counts", "sums", "steps"}
    assert not list(statistics.parameters())


def test_update_keeps_no_graph():
    latents = torch.randn(10, D, requires_grad=True)
    statistics = EMAStatistics(torch.randn(K, D), decay=DECAY, epsilon=EPSILON, debias=True)
    statistics.update(latents, torch.zeros(10, dtype=torch.int64))
    assert not statistics.means().requires_grad


@pytest.mark.parametrize("debias", [True, False])
def test_means_written_in_place_are_the_same_bit_for_bit(debias):
    statistics = EMAStatistics(torch.randn(K, D), decay=DECAY, epsilon=EPSILON, debias=debias)
    for latents, codes in batches(3):
        statistics.update(latents, codes)
    codebook = torch.full((K, D), torch.nan)
    assert statistics.means(out=codebook) is codebook
    assert codebook.equal(statistics.means())
    correction = 1 - DECAY**statistics.steps if debias else 1.0
    counts, sums = statistics.counts / correction, statistics.sums / correction
    total = counts.sum()
    assert codebook.equal(sums / ((counts + EPSILON) / (total + K * EPSILON) * total)[:, None])
