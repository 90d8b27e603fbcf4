"""Codebook reset: one step in numbers worked out by hand, the threshold in both units, start and lag; what takes the
place of dead codewords."""

import math

import pytest
import torch

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.parts.statistics import candidate_rows

BATCH = torch.tensor([[[1.0, 0.0], [-1.0, 2.0], [9.0, 0.0], [11.0, 2.0]]])
"""Two latents each of codewords 0 and 1; none of codeword 2."""


def prepared(**params):
    """Codewords (0, 0), (10, 0), (0, 10) with counts of 1, decay 1/2 and a threshold of one latent a step."""
    params = {"beta": 1.0, "decay": 0.5, "threshold": 1.0, "absolute_threshold": True, **params}
    quantizer = create("codebook_reset", 3, 2, **params)
    quantizer.codebook.copy_(torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]]))
    quantizer.statistics.counts.fill_(1)
    quantizer.statistics.sums.copy_(quantizer.codebook)
    quantizer.initialised.fill_(True)
    return quantizer.train()


@pytest.mark.parametrize(
    "params", [{"keep_statistics": False}, {"threshold": 1.0, "absolute_threshold": True}, {"threshold": 0.5}]
)
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("codebook_reset", params=params) if not result.passed] == []


def test_one_step_by_hand() -> None:
    quantizer = prepared()
    result = quantizer(BATCH)
    assert result.codes.flatten().tolist() == [0, 0, 1, 1]
    # The output is of the codebook before the update; squared errors 1, 5, 1 and 5 over 8 elements.
    assert result.latents.tolist() == [[[0, 0], [0, 0], [10, 0], [10, 0]]]
    assert result.loss.item() == pytest.approx(1.5)
    assert result.log["redrawn"].item() == pytest.approx(1 / 3)
    torch.testing.assert_close(quantizer.codebook[:2], torch.tensor([[0.0, 2 / 3], [10.0, 2 / 3]]))
    assert quantizer.codebook[2].tolist() in BATCH[0].tolist()
    # The redrawn codeword keeps its averages, as in the authors' code.
    assert quantizer.statistics.counts.tolist() == [1.5, 1.5, 0.5]
    assert quantizer.statistics.sums.tolist() == [[0, 1], [15, 1], [0, 5]]


def test_restarted_averages_are_the_threshold_and_the_redrawn_latent() -> None:
    quantizer = prepared(keep_statistics=False)
    quantizer(BATCH)
    assert quantizer.codebook[2].tolist() in BATCH[0].tolist()
    assert quantizer.statistics.counts.tolist() == [1.5, 1.5, 1.0]
    assert torch.equal(quantizer.statistics.sums[2], quantizer.codebook[2])


@pytest.mark.parametrize(("threshold", "redrawn"), [(0.74, 0), (0.76, 1)])
def test_threshold_is_a_multiple_of_the_uniform_share(threshold, redrawn) -> None:
    """With 4 latents and 3 codewords the share is 4/3; the unused codeword's count, set to 2, falls to 1."""
    quantizer = prepared(threshold=threshold, absolute_threshold=False)
    quantizer.statistics.counts[2] = 2.0
    quantizer.statistics.sums[2] *= 2
    result = quantizer(BATCH)
    assert result.log["redrawn"].item() * 3 == pytest.approx(redrawn)
    assert torch.equal(quantizer.codebook[2], torch.tensor([0.0, 10.0])) != bool(redrawn)


def test_a_redrawn_codeword_is_redrawn_until_it_is_used_and_then_is_its_average() -> None:
    quantizer = prepared()
    for _ in range(3):
        quantizer(BATCH + 100 * torch.tensor([0.0, 1.0]))
    with torch.no_grad():
        # All latents but one go to codewords 0 and 1; codeword 2, put among them by hand, gets four.
        quantizer.codebook[:2] = torch.tensor([[-500.0, 0.0], [500.0, 0.0]])
        quantizer.codebook[2] = torch.tensor([5.0, 1.0])
    counts, sums = quantizer.statistics.counts[2].item(), quantizer.statistics.sums[2].clone()
    quantizer(BATCH)
    expected = (0.5 * sums + 0.5 * BATCH[0].sum(0)) / (0.5 * counts + 0.5 * 4)
    torch.testing.assert_close(quantizer.codebook[2], expected)


def test_where_codewords_outnumber_latents_only_an_absolute_threshold_redraws_for_ever() -> None:
    redrawn = {}
    for absolute, threshold in ((False, 0.01), (True, 1.0)):
        torch.manual_seed(0)
        quantizer = create("codebook_reset", 64, 2, threshold=threshold, absolute_threshold=absolute)
        shares = [quantizer(torch.randn(1, 16, 2)).log["redrawn"].item() for _ in range(200)]
        redrawn[absolute] = sum(shares[-50:]) / 50
    assert redrawn[False] < 0.1
    assert redrawn[True] > 0.75


def test_start_is_rows_of_the_first_batch_by_the_hook_or_the_first_training_step() -> None:
    latents = torch.randn(4, 5, 5, 8, generator=torch.Generator().manual_seed(0))
    rows = {tuple(row) for row in latents.reshape(-1, 8).tolist()}
    quantizer = create("codebook_reset", 64, 8)
    quantizer.initialise(iter([latents]))
    codewords = {tuple(row) for row in quantizer.codebook.tolist()}
    assert codewords <= rows
    assert len(codewords) == 64
    quantizer.initialise(iter([latents + 100]))
    assert codewords == {tuple(row) for row in quantizer.codebook.tolist()}
    torch.manual_seed(0)
    untold = create("codebook_reset", 64, 8).train()
    untold(latents)
    untold.eval()
    assert bool(untold.initialised)
    assert torch.cdist(untold.codebook, latents.reshape(-1, 8)).min(1).values.max() < 3


def test_too_few_latents_to_start_from_are_told_apart_by_noise() -> None:
    latents = torch.randn(1, 10, 4, generator=torch.Generator().manual_seed(0))
    quantizer = create("codebook_reset", 32, 4)
    quantizer.initialise(iter([latents]))
    assert len({tuple(row) for row in quantizer.codebook.tolist()}) == 32
    assert torch.cdist(quantizer.codebook, latents[0]).min(1).values.max() < 6 * 0.01 * math.sqrt(4) / math.sqrt(4)


def test_first_step_keeps_every_codeword_that_one_latent_chose() -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 40, 4)
    quantizer = create("codebook_reset", 64, 4, threshold=1.0, absolute_threshold=True)
    quantizer.initialise(iter([latents]))
    codes = quantizer.train()(latents).codes.flatten()
    kept = quantizer.statistics.counts >= 1
    assert kept.nonzero().flatten().tolist() == codes.unique().tolist()


def test_codeword_lags_behind_a_moving_encoder_by_decay_over_one_minus_decay() -> None:
    quantizer = create("codebook_reset", 1, 3, decay=0.9).train()
    velocity = torch.tensor([0.1, -0.2, 0.0])
    still = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(0))
    for step in range(200):
        quantizer(still + step * velocity)
    lag = (still + 199 * velocity).mean((0, 1)) - quantizer.codebook[0]
    torch.testing.assert_close(lag, 0.9 / 0.1 * velocity, rtol=1e-3, atol=1e-3)


def test_threshold_must_be_positive() -> None:
    with pytest.raises(UsageError, match="threshold"):
        create("codebook_reset", 8, 2, threshold=0.0)


def test_enough_rows_are_drawn_as_they_are_and_once_each() -> None:
    torch.manual_seed(0)
    latents = torch.randn(50, 16)
    rows = candidate_rows(latents, 50)
    assert not torch.equal(rows, latents)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, latents.tolist()))


def test_too_few_rows_are_repeated_with_a_little_noise() -> None:
    torch.manual_seed(0)
    latents = 10 * torch.randn(100, 16)
    rows = candidate_rows(latents, 250)
    distances = torch.cdist(rows, latents, compute_mode="donot_use_mm_for_euclid_dist")
    source = distances.argmin(1)
    assert set(source.bincount(minlength=100).tolist()) == {2, 3}
    noise = rows - latents[source]
    assert noise.abs().max() < 6 * 0.01 / math.sqrt(16)
    assert abs(noise.std().item() - 0.01 / math.sqrt(16)) < 1e-4


def test_a_step_in_place_is_that_of_its_formula_bit_for_bit() -> None:
    """Redraws, moving averages and noise as tensors of their own, from the same random state."""
    quantizer = create("codebook_reset", 60, 5).train()
    for _ in range(3):
        quantizer(torch.randn(1, 50, 5))
    latents, before = torch.randn(1, 50, 5), {name: value.clone() for name, value in quantizer.state_dict().items()}
    torch.manual_seed(1)
    codes = quantizer(latents).codes.flatten()
    counts = before["statistics.counts"].lerp_(torch.bincount(codes, minlength=60).float(), 1 - 0.99)
    sums = before["statistics.sums"].lerp_(torch.zeros(60, 5).index_add_(0, codes, latents[0]), 1 - 0.99)
    torch.manual_seed(1)
    rows = latents[0][torch.cat([torch.randperm(50), torch.randperm(50)])[:60]]
    candidates = rows + 0.01 / math.sqrt(5) * torch.randn(60, 5)
    redrawn = counts < 0.01 * 50 / 60
    assert 0 < redrawn.sum() < 60
    assert quantizer.codebook.equal(torch.where(redrawn[:, None], candidates, sums / counts[:, None]))
