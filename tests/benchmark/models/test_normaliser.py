"""The running normaliser: statistics of all that it has learned, in whatever batches, and an exact way back."""

import torch

from benchmark.models.parts.normaliser import RunningNormaliser


def test_batches_together_have_mean_zero_and_variance_one() -> None:
    generator = torch.Generator().manual_seed(0)
    latents = 3 * torch.randn(20, 4, 4, 5, generator=generator) + torch.arange(5.0)
    normaliser = RunningNormaliser(5)
    for batch in latents.split([1, 7, 12]):
        normaliser.learn(batch)
    rows = latents.reshape(-1, 5).double()
    torch.testing.assert_close(normaliser.mean, rows.mean(0))
    torch.testing.assert_close(normaliser.squares / normaliser.count, rows.var(0, unbiased=False))
    normalised = normaliser.normalise(latents)
    torch.testing.assert_close(normalised.mean((0, 1, 2)), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(normaliser.restore(normalised), latents)


def test_before_it_has_learned_and_of_what_does_not_vary_nothing_is_infinite() -> None:
    normaliser, latents = RunningNormaliser(2), torch.ones(3, 2)
    assert torch.equal(normaliser.normalise(latents), latents)
    normaliser.learn(latents)
    assert torch.equal(normaliser.normalise(latents), torch.zeros(3, 2))
