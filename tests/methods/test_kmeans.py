"""The k-means reference: centroids of planted clusters, then nothing moves."""

import torch

from methods import create


def test_finds_planted_clusters_and_stays_there() -> None:
    torch.manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    labels = torch.arange(3).repeat_interleave(200)
    latents = (centres[labels] + 0.1 * torch.randn(600, 2))[None]
    quantizer = create("kmeans", 3, 2)
    quantizer.initialise(iter([latents]))
    means = torch.stack([latents[0, labels == label].mean(0) for label in range(3)])
    distances, nearest = torch.cdist(quantizer.codebook, means).min(1)
    assert distances.max() < 1e-4
    assert sorted(nearest.tolist()) == [0, 1, 2]
    assert list(quantizer.parameters()) == []
    before = quantizer.codebook.clone()
    assert quantizer.train()(latents + 5).loss.item() == 0
    assert torch.equal(quantizer.codebook, before)


def test_misses_none_of_many_clusters_far_apart() -> None:
    torch.manual_seed(0)
    centres = 100 * torch.randn(32, 16)
    latents = (centres.repeat(20, 1) + torch.randn(640, 16))[None]
    quantizer = create("kmeans", 32, 16)
    quantizer.initialise(iter([latents]))
    assert len(quantizer.encode(centres).unique()) == 32
