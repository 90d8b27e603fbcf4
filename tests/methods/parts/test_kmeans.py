"""k-means against scikit-learn and planted clusters, with its edges."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from methods.parts.kmeans import collect_rows, kmeans, spread_rows


def clusters(size: int = 200, spread: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0], [9.0, 9.0]])
    rows = centres.repeat_interleave(size, 0) + spread * torch.randn(5 * size, 2, generator=generator)
    return rows[torch.randperm(len(rows), generator=generator)], centres


def inertia(rows: torch.Tensor, centroids: torch.Tensor) -> float:
    return torch.cdist(rows.double(), centroids.double()).min(1).values.square().mean().item()


@pytest.mark.parametrize("seed", range(5))
def test_centroids_are_means_of_their_rows(seed):
    torch.manual_seed(seed)
    rows, _ = clusters()
    centroids = kmeans(rows, 5, iterations=50)
    owner = torch.cdist(rows, centroids).argmin(1)
    for code in owner.unique():
        torch.testing.assert_close(centroids[code], rows[owner == code].mean(0), rtol=1e-4, atol=1e-4)


def test_as_good_as_scikit_learn_from_the_same_start():
    torch.manual_seed(0)
    rows = torch.randn(2000, 4)
    torch.manual_seed(1)
    start = rows[torch.randperm(2000)[:16]]
    torch.manual_seed(1)
    found = kmeans(rows, 16, iterations=20)
    theirs = KMeans(16, init=start.numpy(), n_init=1, max_iter=20, tol=0, algorithm="lloyd").fit(rows.numpy())
    np.testing.assert_allclose(found.numpy(), theirs.cluster_centers_, rtol=1e-3, atol=1e-3)


def test_more_iterations_do_not_worsen_it():
    rows = torch.randn(1000, 3, generator=torch.Generator().manual_seed(3))
    errors = []
    for iterations in (0, 1, 3, 10, 30):
        torch.manual_seed(2)
        errors.append(inertia(rows, kmeans(rows, 8, iterations=iterations)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_one_centroid_is_the_mean():
    rows = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(kmeans(rows, 1), rows.mean(0, keepdim=True))


def test_fewer_rows_than_centroids_repeat_rows():
    rows = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    centroids = kmeans(rows, 10)
    assert centroids.shape == (10, 2)
    assert torch.cdist(centroids, rows).min(1).values.max() < 1e-3
    assert torch.cdist(rows, centroids).min(1).values.max() < 1e-3


def test_identical_rows_give_identical_finite_centroids():
    centroids = kmeans(torch.full((50, 2), 3.0), 4)
    assert torch.equal(centroids, torch.full((4, 2), 3.0))


def test_collect_rows_stops_when_it_has_enough():
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield torch.randn(100, 5, 5, 4)

    assert collect_rows(endless(), codebook_size=16).shape == (20_000, 4)
    assert len(taken) == 8
    assert collect_rows(endless(), codebook_size=4096).shape[0] == 35_000  # 8 a codeword: 32,768, in whole batches
    assert collect_rows(endless(), codebook_size=512, per_codeword=100).shape[0] == 52_500


def test_collect_rows_takes_what_there_is():
    assert collect_rows(iter([torch.randn(2, 3, 4)]), 1000).shape == (6, 4)


def test_spread_rows_finds_every_cluster_where_random_rows_miss_some():
    torch.manual_seed(0)
    centres = 100 * torch.randn(32, 16)
    rows = centres[torch.randint(32, (4_000,))] + torch.randn(4_000, 16)
    spread = spread_rows(rows, 32)
    assert len(torch.cdist(spread, centres).argmin(1).unique()) == 32
    assert bool((spread[:, None] == rows[None]).all(2).any(1).all())
    assert inertia(rows, kmeans(rows, 32, start=spread)) < 0.1 * inertia(rows, kmeans(rows, 32))


def test_spread_rows_of_fewer_rows_than_wanted_repeat():
    rows = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert len(spread_rows(rows, 5).unique(dim=0)) == 2
