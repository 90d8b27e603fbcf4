"""Usage, perplexity, ceiling, effective rank and quantization error against values worked out by hand or with NumPy."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from benchmark.metrics.codes import (
    KEYS,
    TRAINING_KEYS,
    CodeStatistics,
    QuantizationError,
    UnmappedStatistics,
    ceiling,
    effective_rank,
)
from benchmark.metrics.parts.tuples import TupleHistogram


def measure(codes, level_sizes, batches=1):
    statistics = CodeStatistics(level_sizes, "cpu")
    for batch in torch.as_tensor(codes).chunk(batches):
        statistics.update(batch)
    return statistics


def test_one_level_by_hand():
    # Frequencies 1/2, 1/4, 1/8, 1/8: 1.75 bits.
    codes = torch.tensor([0, 0, 0, 0, 2, 2, 5, 7]).reshape(2, 4, 1)
    measured = measure(codes, (8,)).compute()
    assert set(measured) == set(KEYS)
    assert measured["usage"] == 0.5
    assert measured["dead"] == 4
    assert measured["tokens"] == 8
    assert measured["entropy_bits"] == pytest.approx(1.75, rel=1e-14)
    assert measured["perplexity"] == pytest.approx(2**1.75, rel=1e-14)
    assert measured["perplexity_ratio"] == pytest.approx(2**1.75 / 8, rel=1e-14)
    assert measured["bits_per_position"] == 3
    assert measured["ceiling"] == pytest.approx(1 - (7 / 8) ** 8, rel=1e-14)


@pytest.mark.parametrize(("codes", "perplexity"), [([3] * 20, 1.0), (list(range(16)) * 5, 16.0)])
def test_collapsed_and_uniform_codes(codes, perplexity):
    measured = measure(torch.tensor(codes)[:, None, None], (16,), batches=3).compute()
    assert measured["perplexity"] == pytest.approx(perplexity, rel=1e-13)
    assert measured["usage"] == perplexity / 16


def test_effective_usage_asks_for_a_hundredth_of_the_uniform_share():
    # K = 4 and N = 1,200: a codeword's uniform share is 300, a hundredth of it 3.
    codes = torch.tensor([0] * 1195 + [1] * 3 + [2] * 2)[:, None, None]
    measured = measure(codes, (4,)).compute()
    assert measured["usage"] == 0.75
    assert measured["usage_effective"] == 0.5


def test_effective_usage_never_counts_a_codeword_without_hit():
    measured = measure(torch.tensor([[[0]], [[1]]]), (1000,)).compute()
    assert measured["usage_effective"] == measured["usage"] == 0.002


def test_counts_are_exact_beyond_the_integers_of_single_precision():
    statistics = CodeStatistics((2,), "cpu")
    block = torch.zeros(2**23, 1, 1, dtype=torch.int64)
    for _ in range(3):
        statistics.update(block)
    statistics.update(block[:1])
    assert statistics.compute()["tokens"] == 3 * 2**23 + 1
    assert statistics.counts[0].tolist() == [3 * 2**23 + 1, 0]


def test_ceiling_at_262144_codewords():
    # 1 − (1 − 1/K)^N in exact rational arithmetic would have 4.7 million digits; 50 decimal digits are enough.
    with localcontext(prec=50):
        exact = 1 - (1 - 1 / Decimal(262144)) ** 166400
    assert ceiling(262144, 166400) == pytest.approx(float(exact), rel=1e-12)
    assert ceiling(2**62, 1) == pytest.approx(2.0**-62, rel=1e-12)
    assert ceiling(1, 5) == 1.0


def test_ceiling_is_the_usage_of_a_uniform_source():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 4096, (8192, 1, 1), generator=generator)
    measured = measure(codes, (4096,)).compute()
    # Standard deviation of the usage is about 0.0046 here.
    assert measured["usage"] == pytest.approx(measured["ceiling"], abs=0.015)


@pytest.mark.parametrize("level_sizes", [(3, 5), (2**31, 2**31), (2**40, 2**40, 2**40)], ids=["15", "2^62", "2^120"])
def test_tuples_against_numpy(level_sizes):
    rng = np.random.default_rng(0)
    codes = np.stack([size - 1 - rng.integers(0, 3, 400) for size in level_sizes], axis=-1)
    histogram = TupleHistogram(level_sizes, "cpu")
    for batch in torch.from_numpy(codes).split(70):
        histogram.update(batch)
    _, expected = np.unique(codes, axis=0, return_counts=True)
    assert sorted(histogram.counts()) == sorted(expected)


def test_two_levels_joint_and_apart():
    codes = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 0], [0, 0], [0, 0]])[:, None]
    measured = measure(codes, (2, 4), batches=3).compute()
    joint = np.array([5, 1, 1, 1]) / 8
    assert measured["perplexity"] == pytest.approx(math.exp(-(joint * np.log(joint)).sum()), rel=1e-14)
    assert measured["usage"] == 4 / 8
    assert measured["bits_per_position"] == 3
    first = np.array([6, 2]) / 8
    assert measured["perplexity_level_1"] == pytest.approx(math.exp(-(first * np.log(first)).sum()), rel=1e-14)
    assert measured["usage_level_1"] == 1.0
    assert measured["usage_level_2"] == 0.5
    assert measured["bits_per_position_level_2"] == 2
    assert set(measured) == {f"{key}{suffix}" for key in KEYS for suffix in ("", "_level_1", "_level_2")}


def test_a_dropped_level_counts_for_the_levels_that_are_there():
    codes = torch.tensor([[0, 1], [1, -1], [2, -1], [0, 1]])[:, None]
    statistics = measure(codes, (3, 2))
    measured = statistics.compute()
    assert [counts.tolist() for counts in statistics.counts] == [[2, 1, 1], [0, 2]]
    assert (measured["tokens"], measured["tokens_level_1"], measured["tokens_level_2"]) == (2, 4, 2)
    assert measured["perplexity"] == 1.0


def test_merging_while_streaming_changes_nothing(monkeypatch):
    codes = torch.randint(0, 6, (500, 2, 2), generator=torch.Generator().manual_seed(1))
    whole = measure(codes, (6, 6)).compute()
    monkeypatch.setattr("benchmark.metrics.parts.tuples.PENDING_ROWS", 64)
    assert measure(codes, (6, 6), batches=50).compute() == whole


def test_computing_twice_gives_the_same():
    statistics = measure(torch.tensor([[[0, 1]], [[1, 1]]]), (2, 2))
    assert statistics.compute() == statistics.compute()


def test_a_method_without_codes_has_no_numbers():
    assert CodeStatistics((), "cpu").compute() == dict.fromkeys(KEYS)
    assert CodeStatistics((), "cpu").counts == []


def test_effective_rank_of_known_spectra():
    generator = torch.Generator().manual_seed(0)
    directions, _ = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))
    corners = torch.cat([directions, -directions])
    assert effective_rank(corners) == pytest.approx(5, rel=1e-9)
    line = torch.linspace(-1, 1, 9)[:, None] * torch.ones(1, 700) + 3
    assert effective_rank(line) == pytest.approx(1, abs=1e-4)


def test_effective_rank_against_the_singular_values_of_the_matrix(monkeypatch):
    rng = np.random.default_rng(0)
    codewords = (rng.normal(size=(300, 12)) * np.geomspace(1, 1e-3, 12) + 5).astype(np.float32)
    singular = np.linalg.svd(codewords.astype(np.float64) - codewords.astype(np.float64).mean(0), compute_uv=False)
    shares = singular / singular.sum()
    monkeypatch.setattr("benchmark.metrics.codes._CHUNK", 77)
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert effective_rank(torch.from_numpy(codewords)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("codewords", [torch.full((7, 3), 0.3), torch.ones(1, 3), torch.ones(0, 3)])
def test_effective_rank_of_equal_codewords_is_zero(codewords):
    assert effective_rank(codewords) == 0.0


def test_quantization_error_against_numpy():
    rng = np.random.default_rng(0)
    latents = rng.normal(100, 2, size=(10, 4, 4, 3)).astype(np.float32)
    quantized = latents + rng.normal(0, 0.5, size=latents.shape).astype(np.float32)
    error = QuantizationError("cpu")
    for part in (slice(0, 3), slice(3, 10)):
        error.update(torch.from_numpy(latents[part]), torch.from_numpy(quantized[part]))
    exact = latents.astype(np.float64)
    expected = ((exact - quantized) ** 2).sum() / ((exact - exact.mean((0, 1, 2))) ** 2).sum()
    assert error.compute() == pytest.approx(expected, rel=1e-9)


def test_quantization_error_of_the_mean_is_one_and_of_constants_unknown():
    latents = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    error = QuantizationError("cpu")
    error.update(latents, latents.mean(0).expand_as(latents))
    assert error.compute() == pytest.approx(1, rel=1e-6)
    constant = QuantizationError("cpu")
    constant.update(torch.full((50, 4), 0.1), torch.zeros(50, 4))
    assert constant.compute() is None


def test_training_codes_count_a_tenth_of_the_uniform_share_and_what_was_hit_once():
    codes = CodeStatistics([4], "cpu")
    counts = [50, 2, 1, 27]  # of 80 tokens a uniform share is 20, a tenth of it 2
    codes.update(torch.arange(4).repeat_interleave(torch.tensor(counts))[:, None])
    measured = codes.compute_training()
    assert (measured["usage_train"], measured["usage_tenth_train"], measured["hit_once_train"]) == (1.0, 0.75, 0.25)
    assert (measured["tokens_train"], set(measured)) == (80, {f"{key}_train" for key in TRAINING_KEYS})
    codes = CodeStatistics([4], "cpu")
    codes.update(torch.zeros(79, 1, dtype=torch.int64))
    assert codes.compute_training()["usage_tenth_train"] is None


def test_training_codes_of_several_levels_are_joint():
    codes = CodeStatistics([2, 2], "cpu")
    codes.update(torch.tensor([[0, 0]] * 79 + [[1, 1]]))
    measured = codes.compute_training()
    assert (measured["usage_train"], measured["usage_tenth_train"], measured["hit_once_train"]) == (0.5, 0.25, 0.25)


def test_unmapped_latents_go_to_the_nearest_row() -> None:
    statistics = UnmappedStatistics(torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [9.0, -9.0]]))
    statistics.update(torch.tensor([[[0.1, 0.0], [0.2, 0.0]]]))
    statistics.update(torch.tensor([[[0.9, 0.0], [1.0, 0.0]]]))
    measured = statistics.compute()
    assert measured["usage_unmapped"] == 0.5
    assert measured["perplexity_unmapped"] == pytest.approx(2.0)
    assert 1 < measured["effective_rank_unmapped"] <= 2


def test_codes_without_bound_have_distinct_ones_and_an_entropy_and_no_usage():
    codes = torch.tensor([[0, -3], [0, -3], [5, 2**40], [-1, 7]]).reshape(2, 2, 2)
    statistics = CodeStatistics((512,), "cpu", bounded=False)
    statistics.update(codes)
    measured = statistics.compute()
    assert set(measured) == {*KEYS, "distinct"}
    assert (measured["distinct"], measured["tokens"]) == (3, 4)
    assert measured["entropy_bits"] == pytest.approx(1.5)
    assert all(measured[key] is None for key in ("usage", "ceiling", "dead", "perplexity_ratio", "bits_per_position"))
    assert statistics.counts == []
    training = statistics.compute_training()
    assert (training["distinct_train"], training["usage_train"], training["hit_once_train"]) == (3, None, None)


def test_distinct_codes_are_counted_where_asked():
    statistics = CodeStatistics((4, 4), "cpu", distinct=True)
    statistics.update(torch.tensor([[0, 1], [0, 1], [3, 1]]))
    assert statistics.compute()["distinct"] == 2
    assert statistics.compute_training()["distinct_train"] == 2
    assert CodeStatistics((), "cpu", distinct=True).compute() == dict.fromkeys(KEYS)
