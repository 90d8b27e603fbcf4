"""HQA: posterior terms in float64, draws distributed as the posterior, temperatures and resets followed by hand."""

import math

import pytest
import torch
from scipy.stats import chisquare

from methods import UsageError, create
from methods.contract import check_quantizer

K, D = 16, 4


def build(**params):
    torch.manual_seed(0)
    return create("hqa", K, D, **params)


def exact_terms(quantizer, latents) -> tuple[float, float]:
    """Commitment and KL from their definitions, in float64."""
    distances = (latents.reshape(-1, 1, D).double() - quantizer.codebook.double()).square().sum(-1)
    probabilities = torch.softmax(-distances, 1)
    divergence = (probabilities * probabilities.log()).sum(1).mean() + math.log(K)
    return (probabilities * distances).sum(1).mean().item(), divergence.item()


@pytest.mark.parametrize("params", [{"init": "kmeans", "reset_every": 1}, {"final_temperature": 0.667}])
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("hqa", params=params) if not result.passed] == []


def test_drawn_codes_keep_all_of_the_contract_but_their_independence() -> None:
    results = check_quantizer("hqa", params={"draws": True})
    assert [result for result in results if result.broken] == []
    assert {result.name for result in results if result.declared} == {"independence"}


def test_drawn_codes_are_distributed_as_the_posterior() -> None:
    quantizer = build(draws=True).eval()
    latents = (0.3 * torch.randn(1, D)).expand(20_000, D)
    codes = quantizer.encode(latents).squeeze(-1)
    posterior = torch.softmax(-(latents[:1, None] - quantizer.codebook).square().sum(-1), 1)[0].double()
    assert chisquare(torch.bincount(codes, minlength=K).numpy(), 20_000 * posterior.detach().numpy()).pvalue > 0.001


def test_a_loss_per_value_divides_by_the_values_of_a_position() -> None:
    latents = torch.randn(6, 5, D)
    plain, per_value = build().eval(), build(loss_per="value").eval()
    per_value.values_per_position = 4.0
    assert per_value(latents).loss.item() == pytest.approx(plain(latents).loss.item() / 4)
    per_value.values_per_position = None
    with pytest.raises(UsageError, match="`hqa`: loss_per `value` is for the quantizer of a model"):
        per_value(latents)


@pytest.mark.parametrize("training", [True, False])
def test_loss_is_the_weighted_commitment_and_kl(training) -> None:
    quantizer, latents = build(commitment_weight=0.3, kl_weight=0.7).train(training), 0.5 * torch.randn(6, 5, D)
    commitment, divergence = exact_terms(quantizer, latents)
    result = quantizer(latents)
    assert result.loss.item() == pytest.approx(0.3 * commitment + 0.7 * divergence, rel=1e-5)
    assert result.log["commitment"].item() == pytest.approx(commitment, rel=1e-5)
    assert result.log["kl"].item() == pytest.approx(divergence, rel=1e-4)


def test_kl_is_zero_for_equal_codewords_and_ln_k_for_a_sharp_posterior() -> None:
    quantizer, latents = build(), torch.randn(50, D)
    with torch.no_grad():
        quantizer.codebook.fill_(0.5)
    assert abs(quantizer(latents).log["kl"].item()) < 1e-5
    with torch.no_grad():
        quantizer.codebook.normal_(std=100)
    assert quantizer(latents).log["kl"].item() == pytest.approx(math.log(K), rel=1e-3)


def test_commitment_reaches_every_codeword_and_the_latents_without_stop_gradient() -> None:
    quantizer = build(commitment_weight=1.0, kl_weight=0.0)
    latents = torch.randn(7, D, requires_grad=True)
    quantizer(latents).loss.backward()
    by_hand, codebook = latents.detach().clone().requires_grad_(), quantizer.codebook.detach().clone().requires_grad_()
    distances = (by_hand[:, None] - codebook).square().sum(-1)
    (torch.softmax(-distances, 1) * distances).sum(1).mean().backward()
    torch.testing.assert_close(latents.grad, by_hand.grad)
    torch.testing.assert_close(quantizer.codebook.grad, codebook.grad)
    assert quantizer.codebook.grad.any(1).all()


def test_cold_samples_are_codewords_drawn_from_the_posterior() -> None:
    quantizer = build()
    quantizer.temperature = 1e-4
    latents = 0.3 * torch.randn(1, D).expand(20_000, D)
    result = quantizer(latents)
    codes = result.codes.squeeze(-1)
    gaps = (result.latents - quantizer.codebook[codes]).abs().amax(1)
    assert (gaps < 1e-3).float().mean() > 0.99
    posterior = torch.softmax(-(latents[:1, None] - quantizer.codebook).square().sum(-1), 1)[0].double()
    assert chisquare(torch.bincount(codes, minlength=K).numpy(), 20_000 * posterior.detach().numpy()).pvalue > 0.001


def test_eval_takes_the_nearest_codeword() -> None:
    quantizer, latents = build().eval(), torch.randn(9, 3, D)
    nearest = (latents[..., None, :] - quantizer.codebook).square().sum(-1).argmin(-1)
    assert torch.equal(quantizer(latents).codes.squeeze(-1), nearest)
    assert torch.equal(quantizer(latents).latents, quantizer.codebook[nearest])


def test_temperature_falls_linearly() -> None:
    quantizer, found = build(), []
    for step in (0, 49, 99):
        quantizer.anneal(step, 100)
        found.append(quantizer.temperature)
    assert found == pytest.approx([0.667 - 0.01 * 0.666, 0.334, 0.001])
    quantizer.anneal(0, 1)
    assert quantizer.temperature == pytest.approx(0.001)


def test_the_idlest_codeword_becomes_a_neighbour_of_the_busiest() -> None:
    quantizer = build(reset_every=3)
    changed = []
    for step in range(7):
        before = quantizer.codebook.detach().clone()
        quantizer.counts.copy_(torch.full((K,), 50.0))
        quantizer.counts[5], quantizer.counts[2] = 100.0, 2.9
        quantizer.after_step()
        moved = (quantizer.codebook != before).any(1).nonzero().squeeze(1).tolist()
        changed += [step] * (moved == [2])
        assert moved in ([], [2])
    assert changed == [0, 3, 6]
    assert 0 < (quantizer.codebook[2] - quantizer.codebook[5]).abs().max() < 0.05
    assert not quantizer.counts.any()


def test_nothing_is_reset_at_three_percent_of_the_busiest() -> None:
    quantizer = build(reset_every=1)
    quantizer.counts.copy_(torch.full((K,), 3.0))
    quantizer.counts[5] = 100.0
    before = quantizer.codebook.detach().clone()
    quantizer.after_step()
    assert torch.equal(quantizer.codebook, before)


def test_draws_are_counted_between_resets() -> None:
    quantizer = build(reset_every=2)
    quantizer(torch.randn(30, D))
    quantizer.after_step()
    codes = quantizer(torch.randn(40, D)).codes
    assert torch.equal(quantizer.counts, torch.bincount(codes.flatten(), minlength=K).float())
