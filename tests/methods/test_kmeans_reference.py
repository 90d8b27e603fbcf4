"""The k-means reference: centroids of planted clusters, then nothing moves."""

import torch

from methods import create
from methods.contract import check_quantizer


def test_contract() -> None:
    assert [result for result in check_quantizer("kmeans") if not result.passed] == []


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


def test_more_latents_a_codeword_leave_less_error_on_new_ones() -> None:
    def batches():
        torch.manual_seed(1)
        while True:
            yield torch.randn(2_000, 32)

    new = torch.randn(5_000, 32, generator=torch.Generator().manual_seed(2))
    errors = {}
    for per_codeword in (1, 100):
        torch.manual_seed(0)
        quantizer = create("kmeans", 1024, 32, per_codeword=per_codeword, iterations=5)
        quantizer.initialise(batches())
        errors[per_codeword] = (new - quantizer.decode(quantizer.encode(new))).square().sum(1).mean()
    assert errors[100] < 0.99 * errors[1]
