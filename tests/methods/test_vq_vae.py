"""VQ-VAE against closed forms: both loss terms, their gradients, starts of the codebook, and planted collapse."""

import pytest
import torch

from methods import create

N, K, D = 24, 6, 4


def planted(beta: float = 0.25):
    """A trained-mode quantizer with normal codewords, latents, and in fp64 codes, counts and sums by brute force."""
    torch.manual_seed(0)
    quantizer = create("vq_vae", K, D, beta=beta, init="normal").train()
    with torch.no_grad():
        quantizer.codebook[K - 1] = 50.0  # never chosen
    latents = torch.randn(N, D).requires_grad_()
    codes = (latents.double()[:, None] - quantizer.codebook.double()).square().sum(2).argmin(1)
    return quantizer, latents, codes


def test_codes_are_the_nearest_codewords():
    quantizer, latents, codes = planted()
    assert torch.equal(quantizer.encode(latents).squeeze(-1), codes)


@pytest.mark.parametrize("beta", [0.0, 0.25, 3.0])
def test_loss_is_one_plus_beta_times_the_squared_error(beta):
    quantizer, latents, codes = planted(beta)
    error = (latents.double() - quantizer.codebook.double()[codes]).square().mean()
    assert quantizer(latents).loss.item() == pytest.approx((1 + beta) * error.item(), rel=1e-6)
    assert quantizer(latents).log["commitment"].item() == pytest.approx(error.item(), rel=1e-6)
    assert quantizer.eval()(latents).loss.item() == pytest.approx((1 + beta) * error.item(), rel=1e-6)


@pytest.mark.parametrize("beta", [0.0, 0.25, 3.0])
def test_gradients_are_the_closed_forms(beta):
    quantizer, latents, codes = planted(beta)
    quantizer(latents).loss.backward()
    z, e = latents.detach().double(), quantizer.codebook.detach().double()
    counts, sums = torch.zeros(K).double(), torch.zeros(K, D).double()
    counts.index_add_(0, codes, torch.ones(N).double())
    sums.index_add_(0, codes, z)
    expected = 2 * (counts[:, None] * e - sums) / (N * D)  # beta has no part in it
    torch.testing.assert_close(quantizer.codebook.grad.double(), expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(latents.grad.double(), 2 * beta * (z - e[codes]) / (N * D), rtol=1e-5, atol=1e-8)


def test_a_codeword_that_no_latent_chose_gets_exactly_no_gradient():
    quantizer, latents, codes = planted()
    quantizer(latents).loss.backward()
    unused = torch.ones(K, dtype=torch.bool)
    unused[codes] = False
    assert unused[K - 1]
    assert not quantizer.codebook.grad[unused].any()
    assert quantizer.codebook.grad[~unused].abs().sum(1).all()


def test_decoder_gradient_passes_straight_to_the_latents_and_not_to_the_codebook():
    quantizer, latents, _ = planted()
    direction = torch.randn(N, D)
    quantizer(latents).latents.backward(direction)
    assert torch.equal(latents.grad, direction)
    assert quantizer.codebook.grad is None


def test_eval_output_is_the_codewords_bit_for_bit():
    quantizer, latents, codes = planted()
    # Large latents and small codewords: what straight-through would round.
    with torch.no_grad():
        quantizer.codebook.mul_(1e-3)
    codes = quantizer.encode(10 * latents).squeeze(-1)
    assert torch.equal(quantizer.eval()(10 * latents).latents, quantizer.codebook[codes])
    assert not torch.equal(quantizer.train()(10 * latents).latents, quantizer.codebook[codes])


def test_starts_of_the_codebook():
    torch.manual_seed(0)
    uniform = create("vq_vae", 1000, 50).codebook.detach()
    assert uniform.abs().max() <= 1e-3
    assert uniform.std().item() == pytest.approx(1e-3 / 3**0.5, rel=0.02)
    normal = create("vq_vae", 1000, 50, init="normal").codebook.detach()
    assert normal.std().item() == pytest.approx(1, rel=0.02)
    assert normal.mean().item() == pytest.approx(0, abs=0.02)


def test_kmeans_start_puts_codewords_on_planted_clusters_once():
    torch.manual_seed(0)
    centres = 5 * torch.randn(K, D)
    rows = centres.repeat_interleave(40, 0) + 0.01 * torch.randn(40 * K, D)
    quantizer = create("vq_vae", 4 * K, D, init="kmeans")
    assert not quantizer.initialised
    quantizer.initialise(iter([rows.reshape(4, -1, D)]))
    assert torch.cdist(centres, quantizer.codebook.detach()).min(1).values.max() < 0.05
    assert quantizer.initialised
    before = quantizer.codebook.detach().clone()
    quantizer.initialise(iter([torch.randn(4, 10, D)]))
    assert torch.equal(quantizer.codebook, before)
    assert "initialised" in quantizer.state_dict()


def test_uniform_start_ignores_the_data():
    quantizer = create("vq_vae", K, D)
    before = quantizer.codebook.detach().clone()
    quantizer.initialise(iter([torch.randn(4, 10, D)]))
    assert torch.equal(quantizer.codebook, before)


def test_three_tight_clusters_leave_all_but_three_codewords_where_they_were():
    torch.manual_seed(0)
    quantizer = create("vq_vae", 64, D).train()
    start = quantizer.codebook.detach().clone()
    latents = torch.tensor([-1.0, 0.5, 2.0]).repeat(30)[:, None].expand(90, D) + 1e-3 * torch.randn(90, D)
    optimiser = torch.optim.Adam(quantizer.parameter_groups(1e-2))
    for _ in range(300):
        optimiser.zero_grad()
        quantizer(latents).loss.backward()
        optimiser.step()
    assert quantizer.encode(latents).unique().numel() <= 3
    moved = (quantizer.codebook.detach() != start).any(1).sum().item()
    assert moved <= 6
