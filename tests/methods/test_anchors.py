"""Anchors: planted nearest latents, the distribution of drawn ones, the pool, and two processes against one."""

import math

import pytest
import torch

from methods import anchors

LATENTS = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
CODEWORDS = torch.randn(9, 6, generator=torch.Generator().manual_seed(2))


def test_closest_is_the_planted_latent_and_not_the_furthest() -> None:
    latents = torch.tensor([[0.0, 1.0], [5.0, 5.2], [-3.0, 0.0], [50.0, -50.0]])
    codewords = torch.tensor([[5.0, 5.0], [-3.1, 0.0]])
    assert torch.equal(anchors.closest_latents(latents, codewords, "euclidean"), latents[[1, 2]])
    along = torch.tensor([[0.1, -0.1], [0.0, 0.3]])
    assert torch.equal(anchors.closest_latents(latents, along, "cosine"), latents[[3, 0]])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_similarity(metric) -> None:
    found = anchors.similarity(CODEWORDS, LATENTS, metric)
    for k, n in ((0, 0), (3, 17), (8, 39)):
        e, z = CODEWORDS[k].tolist(), LATENTS[n].tolist()
        if metric == "euclidean":
            expected = -(math.dist(e, z) ** 2)
        else:
            expected = sum(a * b for a, b in zip(e, z, strict=True)) / (math.hypot(*e) * math.hypot(*z))
        assert found[k, n].item() == pytest.approx(expected, abs=1e-5)


def test_draws_follow_the_softmax_of_the_similarities() -> None:
    latents = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    codewords = torch.zeros(30_000, 2)
    torch.manual_seed(0)
    drawn = anchors.sampled_latents(latents, codewords, "euclidean")
    weights = [1.0, math.exp(-1), math.exp(-4)]
    for latent, weight in zip(latents, weights, strict=True):
        share = (drawn == latent).all(1).float().mean().item()
        assert share == pytest.approx(weight / sum(weights), abs=0.01)


def test_pool_starts_small_fills_up_and_takes_what_is_over() -> None:
    torch.manual_seed(0)
    pool = anchors.FeaturePool(8, 1)
    assert pool.rows.abs().max() <= 1 / 8
    first, second, third = (base + torch.arange(3.0)[:, None] for base in (10.0, 20.0, 30.0))
    pool.update(first)
    assert sorted(pool.rows[:3].flatten().tolist()) == [10, 11, 12]
    assert pool.rows[3:].abs().max() <= 1 / 8
    pool.update(second)
    # Two places are empty, three rows come: one of them takes the place of an older row (theirs fails here).
    rows = pool.update(third).flatten()
    assert int(pool.filled) == 8
    assert rows.min() >= 10
    assert sorted(rows[rows >= 30].tolist()) == [30, 31, 32]


def test_a_large_batch_replaces_the_whole_pool() -> None:
    torch.manual_seed(0)
    pool = anchors.FeaturePool(8, 1)
    for base in (10.0, 100.0):
        rows = pool.update(base + torch.arange(20.0)[:, None]).flatten()
        assert len(set(rows.tolist())) == 8
        assert base <= rows.min()
        assert rows.max() < base + 20


def all_anchors(part: slice) -> list[torch.Tensor]:
    torch.manual_seed(0)
    found = [
        choose(LATENTS[part], CODEWORDS, metric)
        for choose in (anchors.closest_latents, anchors.sampled_latents)
        for metric in ("euclidean", "cosine")
    ]
    torch.manual_seed(0)
    large, small = anchors.FeaturePool(64, 6), anchors.FeaturePool(9, 6)
    return [*found, large.update(LATENTS[part]), large.update(LATENTS[part]), small.update(LATENTS[part])]


def of_unequal_halves(rank: int) -> list[torch.Tensor]:
    return all_anchors(slice(0, 25) if rank == 0 else slice(25, 40))


def test_two_processes_find_the_anchors_of_one(in_two_processes) -> None:
    for found in in_two_processes("of_unequal_halves"):
        for one, expected in zip(found, all_anchors(slice(None)), strict=True):
            assert torch.equal(one, expected)
