"""VQ-VAE with moving averages against closed forms in fp64, over several steps and on moving latents."""

import pytest
import torch

from methods import UsageError, create

N, K, D = 200, 6, 4


def start(seed: int = 0, **params):
    torch.manual_seed(seed)
    return create("vq_vae_ema", K, D, **params).train()


def nearest(latents: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    return (latents.double()[:, None] - codebook.double()).square().sum(2).argmin(1)


@pytest.mark.parametrize("debias", [True, False])
def test_five_steps_equal_the_recursion_in_fp64(debias):
    decay, epsilon = 0.9, 1e-5
    quantizer = start(decay=decay, epsilon=epsilon, debias=debias)
    codebook = quantizer.codebook.double()
    counts, sums = torch.zeros(K).double(), torch.zeros(K, D).double() if debias else codebook.clone()
    for step in range(1, 6):
        latents = torch.randn(N, D, generator=torch.Generator().manual_seed(step))
        codes = nearest(latents, codebook)
        result = quantizer(latents)
        assert torch.equal(result.codes.squeeze(-1), codes)
        torch.testing.assert_close(result.latents.double(), codebook[codes], rtol=1e-4, atol=1e-5)  # before the update
        one_hot = torch.nn.functional.one_hot(codes, K).double()
        counts = decay * counts + (1 - decay) * one_hot.sum(0)
        sums = decay * sums + (1 - decay) * one_hot.T @ latents.double()
        correction = 1 - decay**step if debias else 1.0
        n, s = counts / correction, sums / correction
        codebook = s / ((n + epsilon) / (n.sum() + K * epsilon) * n.sum())[:, None]
        torch.testing.assert_close(quantizer.codebook.double(), codebook, rtol=1e-4, atol=1e-5)


def test_first_step_puts_used_codewords_on_their_means_and_unused_ones_at_zero():
    quantizer = start()
    with torch.no_grad():
        quantizer.codebook[2] = 90.0
    latents = torch.randn(N, D)
    codes = nearest(latents, quantizer.codebook)
    quantizer(latents)
    for code in codes.unique().tolist():
        torch.testing.assert_close(quantizer.codebook[code], latents[codes == code].mean(0), rtol=1e-4, atol=1e-5)
    assert not (codes == 2).any()
    assert quantizer.codebook[2].tolist() == [0.0] * D


def test_loss_is_beta_times_the_squared_error_and_only_the_latents_get_its_gradient():
    quantizer = start(beta=0.7)
    latents = torch.randn(N, D, requires_grad=True)
    q = quantizer.codebook.double()[nearest(latents.detach(), quantizer.codebook)]
    result = quantizer(latents)
    error = (latents.detach().double() - q).square().mean()
    assert result.loss.item() == pytest.approx(0.7 * error.item(), rel=1e-5)
    result.loss.backward()
    expected = 2 * 0.7 * (latents.detach().double() - q) / (N * D)
    torch.testing.assert_close(latents.grad.double(), expected, rtol=1e-4, atol=1e-8)
    assert not list(quantizer.parameters())
    assert quantizer.parameter_groups(1e-3) == []


def test_decoder_gradient_passes_straight_through():
    quantizer, latents, direction = start(), torch.randn(N, D, requires_grad=True), torch.randn(N, D)
    quantizer(latents).latents.backward(direction)
    assert torch.equal(latents.grad, direction)


def test_one_codeword_becomes_the_mean():
    torch.manual_seed(0)
    quantizer = create("vq_vae_ema", 1, D).train()
    latents = torch.randn(N, D)
    quantizer(latents)
    torch.testing.assert_close(quantizer.codebook[0], latents.mean(0), rtol=1e-4, atol=1e-6)


def test_stationary_latents_leave_each_codeword_at_the_mean_of_its_latents():
    quantizer, latents = start(decay=0.5), torch.randn(N, D)
    for _ in range(60):
        quantizer(latents)
    codes = quantizer.encode(latents).squeeze(-1)
    assert codes.unique().numel() > 2
    for code in codes.unique().tolist():
        torch.testing.assert_close(quantizer.codebook[code], latents[codes == code].mean(0), rtol=1e-3, atol=1e-4)


def test_codewords_follow_moving_latents_with_the_lag_of_the_average():
    """Latents z + v·t: the average lags decay / (1 - decay) steps behind, here 9."""
    torch.manual_seed(0)
    quantizer = create("vq_vae_ema", 1, D, decay=0.9).train()
    cloud = torch.randn(N, D)
    cloud -= cloud.mean(0)
    for step in range(200):
        quantizer(cloud + 0.1 * step)
    lag = 0.1 * 199 - quantizer.codebook[0]
    torch.testing.assert_close(lag, torch.full((D,), 0.9), rtol=1e-3, atol=1e-3)


def test_unused_codewords_stay_finite_over_many_steps():
    quantizer, latents = start(decay=0.5), 0.1 * torch.randn(N, D)
    for _ in range(300):
        quantizer(latents)
    assert quantizer.codebook.isfinite().all()


def test_codebook_starts_uniform_with_variance_one_over_dim():
    torch.manual_seed(0)
    codebook = create("vq_vae_ema", 1000, 50).codebook
    assert codebook.abs().max() <= (3 / 50) ** 0.5
    assert codebook.var().item() == pytest.approx(1 / 50, rel=0.02)


def test_averages_and_their_step_count_are_saved():
    assert set(start().state_dict()) == {"codebook", "statistics.counts", "statistics.sums", "statistics.steps"}


def test_a_decay_of_one_or_no_smoothing_is_refused():
    for params in ({"decay": 1.0}, {"decay": -0.1}, {"epsilon": 0.0}):
        with pytest.raises(UsageError):
            start(**params)


def test_starts() -> None:
    torch.manual_seed(0)
    for init, std, largest in (
        ("uniform", 0.5, 3**0.5 / 2),
        ("narrow_uniform", (2 / 4096 / 4) ** 0.5, (6 / 4096 / 4) ** 0.5),
        ("unit_uniform", 3**-0.5, 1.0),
        ("normal", 1.0, torch.inf),
    ):
        codebook = create("vq_vae_ema", 4096, 4, init=init).codebook
        assert codebook.std() == pytest.approx(std, rel=0.03)
        assert codebook.abs().max() <= largest
