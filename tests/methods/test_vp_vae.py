"""VP-VAE: moves in the ball of neighbours, the queue, the codebook that k-means makes on the way to eval mode."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from methods import UsageError, create

K, D = 8, 2


def bare(**params):
    """Without projections: the latents are what is moved."""
    torch.manual_seed(0)
    quantizer = create("vp_vae", K, D, code_dim=D, **params)
    quantizer.project_in, quantizer.project_out = nn.Identity(), nn.Identity()
    return quantizer.train()


def draw(count: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed))


def test_a_move_stays_in_the_ball_of_the_neighbours() -> None:
    quantizer, latents = bare(eta=0.5), draw(500)
    radius = (latents[:, None] - quantizer.recent).norm(dim=2).sort(dim=1).values[:, quantizer.neighbours - 1]
    moves, made = quantizer.moves(latents)
    assert len(quantizer.recent) == 16 * D * K
    assert (moves.norm(dim=1) <= 0.5 * radius * (1 + 1e-5)).all()
    assert (moves.norm(dim=1) / radius).square().mean().item() == pytest.approx(0.25 * 0.5, rel=0.1), "uniform in 2-D"
    back = (latents + moves)[:, None] - quantizer.recent
    there = back.norm(dim=2).sort(dim=1).values[:, quantizer.neighbours - 1]
    assert (moves.norm(dim=1)[made] < 0.5 * there[made]).all(), "the way back must be possible too"
    assert 0.3 < made.float().mean() < 0.9


def test_moved_latents_stay_distributed_as_they_were() -> None:
    quantizer, latents, free = bare(latents_per_codeword=32.0), draw(800), draw(800)
    for _ in range(6):
        moves, made = quantizer.moves(latents)
        latents = latents + moves * made[:, None]
        free = free + quantizer.moves(free)[0]
    assert latents.mean(0).abs().max() < 0.2
    assert ((latents.var(0) - 1).abs() < 0.3).all(), latents.var(0)
    assert free.var(0).min() > 1.6, "what moves with no regard to the density spreads"


def test_forward_in_training() -> None:
    quantizer, latents = bare(moment_weight=0.0), draw(40).requires_grad_()
    result = quantizer(latents)
    moved = (result.latents != latents).any(1).float().mean()
    assert result.codes.unique().tolist() == [-1]
    assert result.log["moved"] == moved
    (gradient,) = torch.autograd.grad(result.latents, latents, torch.ones(40, D))
    assert torch.equal(gradient, torch.ones(40, D))


def test_the_queue_overwrites_its_oldest() -> None:
    quantizer = bare(queued_share=1.0)
    size, before = len(quantizer.recent), quantizer.recent.clone()
    first, second = draw(size - 3, 2), draw(5, 3)
    quantizer(first)
    assert torch.equal(quantizer.recent, torch.cat([first, before[-3:]]))
    quantizer(second)
    assert torch.equal(quantizer.recent, torch.cat([second[3:], first[2:], second[:3]]))
    assert quantizer.position == 2
    longer = draw(size + 7, 4)
    quantizer(longer)
    assert torch.equal(quantizer.recent.sort(0).values, longer[7:].sort(0).values)


def test_a_share_of_the_latents_enters_the_queue() -> None:
    quantizer = bare(queued_share=0.3)
    before = quantizer.recent.clone()
    quantizer(draw(200))
    changed = (quantizer.recent != before).any(1)
    assert 30 < changed.sum() < 90
    assert changed.sum() == quantizer.position
    assert changed[: int(quantizer.position)].all()


def test_eval_mode_has_the_centroids_of_the_queue_and_draws_nothing() -> None:
    quantizer = bare(queued_share=1.0)
    centres = 4 * draw(K, 5)
    quantizer(centres.repeat(16 * D, 1) + 0.01 * draw(16 * D * K, 6))
    before = torch.get_rng_state()
    twin = copy.deepcopy(quantizer).eval()
    assert torch.equal(quantizer.eval().codebook, twin.codebook)
    assert torch.equal(torch.get_rng_state(), before)
    assert (torch.cdist(centres, quantizer.codebook).amin(1) < 0.02).all()
    made = quantizer.codebook.clone()
    quantizer.codebook.add_(1)
    assert torch.equal(quantizer.train().eval().codebook, made + 1), "nothing has come since, so it stays"


def test_an_average_of_weights_has_the_queue_as_it_is() -> None:
    quantizer = bare(queued_share=1.0)
    average = AveragedModel(quantizer, multi_avg_fn=_update, use_buffers=True)
    for seed in range(2, 6):
        quantizer(draw(300, seed))
        average.update_parameters(quantizer)
    assert torch.equal(average.module.recent, quantizer.recent)
    assert torch.equal(average.eval().module.codebook, quantizer.eval().codebook)


def _update(averages, current, _count) -> None:
    for average, value in zip(averages, current, strict=True):
        average.lerp_(value, 0.1) if average.is_floating_point() else average.copy_(value)


def test_it_is_no_level_shared_by_a_residual_quantizer() -> None:
    with pytest.raises(UsageError, match="`vp_vae` can't be shared by levels"):
        create("residual_vq", K**2, D, level="vp_vae", depth=2, shared=True)
