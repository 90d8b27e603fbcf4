"""CVQ-VAE: moves to anchors in closed form, planted anchors, the contrastive term against a full sort, resuming;
anchors drawn, pooled, and found by two processes as by one."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from methods import UsageError, create
from methods.contract import check_quantizer
from methods.parts.anchors import FeaturePool, closest_latents, contrastive_loss, sampled_latents, similarity

LATENTS = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
CODEWORDS = torch.randn(9, 6, generator=torch.Generator().manual_seed(2))


def build(codebook, **params):
    codebook = torch.tensor(codebook)
    quantizer = create("cvq_vae", *codebook.shape, **params)
    quantizer.codebook.data.copy_(codebook)
    return quantizer.train()


@pytest.mark.parametrize(
    "params",
    [
        {"anchor": "random", "metric": "euclidean"},
        {"anchor": "probrandom", "contrastive": True},
        {"first_batch": True, "anchor": "random"},
        {"anchor_after_step": True},
        {"contrastive": True, "metric": "euclidean", "init": "kmeans"},
    ],
)
def test_options_keep_the_contract(params) -> None:
    assert [result for result in check_quantizer("cvq_vae", params=params) if not result.passed] == []


@pytest.mark.parametrize("decay", [0.99, 0.9])
def test_codewords_move_by_their_average_use(decay) -> None:
    """Of four latents three choose the first codeword and one the second; nobody chooses the others."""
    codebook = [[1.0, 0.0], [3.0, 3.0], [-4.0, 0.0], [0.0, -7.0]]
    quantizer = build(codebook, metric="euclidean", decay=decay)
    before = torch.tensor([0.2, 0.001 * 0.01, 0.0, 1e-3 * (1 - decay)])
    quantizer.frequencies.copy_(before)
    latents = torch.tensor([[[1.0, 0.5], [1.5, 0.0], [0.5, -1.0], [2.5, 2.5]]])
    assert quantizer(latents).codes.flatten().tolist() == [0, 0, 0, 1]
    uses = torch.tensor([0.75, 0.25, 0.0, 0.0])
    torch.testing.assert_close(quantizer.frequencies, decay * before + (1 - decay) * uses)
    torch.testing.assert_close(quantizer.codebook[0].detach(), torch.tensor(codebook[0]), rtol=0, atol=1e-30)
    # Closest latents of codewords 1 to 3 are (2.5, 2.5), (0.5, -1) and (0.5, -1).
    for code, anchor in ((1, latents[0, 3]), (2, latents[0, 2]), (3, latents[0, 2])):
        shift = math.exp(-10 * 4 * quantizer.frequencies[code].item() / (1 - decay) - 1e-3)
        expected = (1 - shift) * torch.tensor(codebook[code]) + shift * anchor
        torch.testing.assert_close(quantizer.codebook[code].detach(), expected)


@pytest.mark.parametrize(("share", "shift"), [(0.0, 0.9990005), (0.001, 0.3675117), (0.01, 4.5354552e-05)])
def test_shift_at_multiples_of_the_uniform_share(share, shift) -> None:
    """With the default decay: exp(-1000 · share - 0.001)."""
    quantizer = build([[0.0, 100.0], [1.0, 0.0]], metric="euclidean")
    quantizer.frequencies[0] = share / 2 / 0.99
    quantizer(torch.ones(1, 3, 2))
    moved = (100.0 - quantizer.codebook[0, 1].item()) / 99.0
    assert moved == pytest.approx(shift, rel=1e-3, abs=2e-7)


def test_codewords_with_a_tenth_of_their_share_do_not_move_at_all() -> None:
    quantizer = build([[0.0, 100.0], [1.0, 0.0]], metric="euclidean")
    quantizer.frequencies.fill_(0.11 / 2)
    quantizer(torch.ones(1, 3, 2))
    assert quantizer.codebook.tolist() == [[0.0, 100.0], [1.0, 0.0]]


def test_cosine_chooses_by_direction_and_returns_the_codeword_as_it_is() -> None:
    quantizer = build([[0.01, 0.0], [0.0, 5.0]]).eval()
    result = quantizer(torch.tensor([[[3.0, 1.0], [1.0, 3.0]]]))
    assert result.codes.flatten().tolist() == [0, 1]
    torch.testing.assert_close(result.latents[0].detach(), torch.tensor([[0.01, 0.0], [0.0, 5.0]]))


def test_first_batch_moves_once_and_not_again_after_resuming() -> None:
    quantizer = build([[0.0, 1.0], [0.0, -1.0]], first_batch=True)
    quantizer(torch.tensor([[[0.0, 9.0]]]))
    moved = quantizer.codebook.detach().clone()
    assert moved[1, 1].item() == pytest.approx(9.0, abs=0.011)
    for resumed in (quantizer, create("cvq_vae", 2, 2, first_batch=True)):
        resumed.load_state_dict(quantizer.state_dict())
        resumed.train()(torch.tensor([[[0.0, 50.0]]]))
        assert torch.equal(resumed.codebook, moved)


def test_anchors_after_the_optimisers_step_see_its_codebook() -> None:
    quantizer = build([[1.0, 0.0], [9.0, 9.0]], metric="euclidean", anchor_after_step=True)
    latents = torch.tensor([[[0.0, 0.0], [4.0, 0.0]]])
    assert quantizer(latents).codes.flatten().tolist() == [0, 0]
    assert quantizer.codebook.tolist() == [[1.0, 0.0], [9.0, 9.0]]
    quantizer.codebook.data[1] = torch.tensor([5.0, 0.0])
    quantizer.after_step()
    torch.testing.assert_close(quantizer.frequencies, torch.tensor([0.005, 0.005]))
    quantizer.after_step()
    torch.testing.assert_close(quantizer.frequencies, torch.tensor([0.005, 0.005]))


def sorted_contrast(codebook, rows, metric):
    """The term as it reads in the paper's code: a full sort of each codeword's similarities."""
    if metric == "cosine":
        table = (rows / rows.norm(dim=1, keepdim=True)) @ (codebook / codebook.norm(dim=1, keepdim=True)).T
    else:
        table = -(rows[:, None] - codebook).square().sum(-1)
    table = table.sort(dim=0).values
    positive = table[-max(1, len(rows) // len(codebook)) :].mean(0, keepdim=True)
    logits = torch.cat([positive, table[: len(rows) // 2]]).T / 0.07
    return cross_entropy(logits, torch.zeros(len(codebook), dtype=torch.int64))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("rows", [1, 7, 60])
@pytest.mark.parametrize("chunk", [1 << 22, 200])
def test_contrastive_term_equals_a_full_sort(metric, rows, chunk, monkeypatch) -> None:
    monkeypatch.setattr("methods.parts.recompute._CHUNK_ELEMENTS", chunk)
    generator = torch.Generator().manual_seed(0)
    codebook = (0.2 * torch.randn(13, 5, generator=generator)).requires_grad_()
    latents = 0.2 * torch.randn(rows, 5, generator=generator)
    found, expected = contrastive_loss(codebook, latents, metric), sorted_contrast(codebook, latents, metric)
    torch.testing.assert_close(found, expected)
    one, other = (torch.autograd.grad(loss, codebook)[0] for loss in (found, expected))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_contrastive_term_leaves_the_encoder_alone_and_moves_do_not_spoil_its_gradient() -> None:
    latents = torch.randn(1, 30, 5, generator=torch.Generator().manual_seed(0))
    gradients = {}
    for contrastive in (False, True):
        torch.manual_seed(0)
        quantizer = create("cvq_vae", 8, 5, contrastive=contrastive, init="normal").train()
        start = quantizer.codebook.detach().clone().requires_grad_()
        inputs = latents.clone().requires_grad_()
        result = quantizer(inputs)
        assert not torch.equal(quantizer.codebook, start)
        result.loss.backward()
        gradients[contrastive] = inputs.grad, quantizer.codebook.grad
    assert torch.equal(gradients[False][0], gradients[True][0])
    (expected,) = torch.autograd.grad(sorted_contrast(start, latents[0], "cosine"), start)
    torch.testing.assert_close(gradients[True][1] - gradients[False][1], expected)


@pytest.mark.parametrize(
    "params", [{"anchor": "nearest"}, {"metric": "l2"}, {"decay": 1.0}, {"init": "gaussian"}, {"beta": -1}]
)
def test_wrong_options_are_told(params) -> None:
    with pytest.raises(UsageError, match=next(iter(params))):
        create("cvq_vae", 8, 2, **params)


def test_closest_is_the_planted_latent_and_not_the_furthest() -> None:
    latents = torch.tensor([[0.0, 1.0], [5.0, 5.2], [-3.0, 0.0], [50.0, -50.0]])
    codewords = torch.tensor([[5.0, 5.0], [-3.1, 0.0]])
    assert torch.equal(closest_latents(latents, codewords, "euclidean"), latents[[1, 2]])
    along = torch.tensor([[0.1, -0.1], [0.0, 0.3]])
    assert torch.equal(closest_latents(latents, along, "cosine"), latents[[3, 0]])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_similarity(metric) -> None:
    found = similarity(CODEWORDS, LATENTS, metric)
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
    drawn = sampled_latents(latents, codewords, "euclidean")
    weights = [1.0, math.exp(-1), math.exp(-4)]
    for latent, weight in zip(latents, weights, strict=True):
        share = (drawn == latent).all(1).float().mean().item()
        assert share == pytest.approx(weight / sum(weights), abs=0.01)


def test_pool_starts_small_fills_up_and_takes_what_is_over() -> None:
    torch.manual_seed(0)
    pool = FeaturePool(8, 1)
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
    pool = FeaturePool(8, 1)
    for base in (10.0, 100.0):
        rows = pool.update(base + torch.arange(20.0)[:, None]).flatten()
        assert len(set(rows.tolist())) == 8
        assert base <= rows.min()
        assert rows.max() < base + 20


def all_anchors(part: slice) -> list[torch.Tensor]:
    torch.manual_seed(0)
    found = [
        choose(LATENTS[part], CODEWORDS, metric)
        for choose in (closest_latents, sampled_latents)
        for metric in ("euclidean", "cosine")
    ]
    torch.manual_seed(0)
    large, small = FeaturePool(64, 6), FeaturePool(9, 6)
    return [*found, large.update(LATENTS[part]), large.update(LATENTS[part]), small.update(LATENTS[part])]


def of_unequal_halves(rank: int) -> list[torch.Tensor]:
    return all_anchors(slice(0, 25) if rank == 0 else slice(25, 40))


def test_two_processes_find_the_anchors_of_one(in_two_processes) -> None:
    for found in in_two_processes("of_unequal_halves"):
        for one, expected in zip(found, all_anchors(slice(None)), strict=True):
            assert torch.equal(one, expected)
