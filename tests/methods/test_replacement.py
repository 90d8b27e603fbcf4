"""Candidates for dead codewords: rows of the batch, told apart by noise only where there are too few."""

import math

import torch

from methods.replacement import candidate_rows

DIM = 16


def test_enough_rows_are_drawn_as_they_are_and_once_each() -> None:
    torch.manual_seed(0)
    latents = torch.randn(50, DIM)
    rows = candidate_rows(latents, 50)
    assert not torch.equal(rows, latents)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, latents.tolist()))


def test_too_few_rows_are_repeated_with_a_little_noise() -> None:
    torch.manual_seed(0)
    latents = 10 * torch.randn(100, DIM)
    rows = candidate_rows(latents, 250)
    distances = torch.cdist(rows, latents, compute_mode="donot_use_mm_for_euclid_dist")
    source = distances.argmin(1)
    assert set(source.bincount(minlength=100).tolist()) == {2, 3}
    noise = rows - latents[source]
    assert noise.abs().max() < 6 * 0.01 / math.sqrt(DIM)
    assert abs(noise.std().item() - 0.01 / math.sqrt(DIM)) < 1e-4
