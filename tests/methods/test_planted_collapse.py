"""Planted collapse: three tight clusters, which a codebook trained by gradient alone never splits."""

import pytest
import torch

from methods import create

K, D = 64, 8


def used_codes(name: str, steps: int = 60, **params) -> int:
    """Codes in use by 900 latents of three clusters after training the codebook on them."""
    generator = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(3, D, generator=generator)

    def batch(examples: int) -> torch.Tensor:
        noise = 0.05 * torch.randn(examples, 3, D, generator=generator)
        return centres + noise

    torch.manual_seed(0)
    quantizer = create(name, K, D, **params)
    quantizer.initialise(batch(40) for _ in range(3))
    groups = quantizer.parameter_groups(1e-2)
    optimizer = torch.optim.Adam(groups) if groups else None
    for step in range(steps):
        quantizer.train().anneal(step, steps)
        loss = quantizer(batch(100)).loss
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        quantizer.after_step()
    codes = quantizer.eval()(batch(300)).codes
    return len(torch.unique(codes.reshape(-1, codes.shape[-1]), dim=0))


@pytest.mark.parametrize("params", [{"init": "normal"}, {"init": "uniform"}])
def test_plain_vq_vae_collapses_to_a_codeword_a_cluster(params) -> None:
    assert used_codes("vq_vae", **params) <= 3


@pytest.mark.parametrize(
    ("name", "params", "at_least"),
    [
        ("codebook_reset", {}, 48),
        ("codebook_reset", {"keep_statistics": False}, 48),
        ("cvq_vae", {"metric": "euclidean", "anchor": "closest", "init": "normal"}, 7),
        ("cvq_vae", {"metric": "euclidean", "anchor": "random", "init": "normal"}, 48),
        ("cvq_vae", {"metric": "euclidean", "anchor": "probrandom", "init": "normal"}, 32),
        ("residual_vq", {"depth": 2}, 32),
        ("kmeans", {}, 48),
    ],
)
def test_remedies_split_the_clusters(name, params, at_least) -> None:
    assert used_codes(name, **params) >= at_least
