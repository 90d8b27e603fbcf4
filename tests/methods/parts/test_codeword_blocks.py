"""Codewords in blocks: those that jump have blocks of their own, and widen none of the others."""

import numpy as np
import pytest
import torch
from awkward import flat

from methods.parts.bounded_survey import survey
from methods.parts.codeword_blocks import Blocks

K = 2000


@pytest.fixture
def codewords():
    return flat(K, seed=5)


@pytest.fixture
def blocks(codewords):
    kernels = pytest.importorskip("methods.parts.bounded_kernels")
    found = survey(codewords, lambda rows: rows)
    blocks = Blocks(codewords.numpy(), found.frame(7), kernels)
    assert blocks.follow(codewords.numpy())
    return blocks


def jump(codewords, count, seed):
    """As dead codewords do: a few of them, to where others are."""
    movers = torch.randperm(K, generator=torch.Generator().manual_seed(seed))[:count]
    moved = codewords.clone()
    moved[movers] = flat(count, seed=50 + seed)
    return moved


def places(blocks):
    return sorted(blocks.order[blocks.order >= 0].tolist())


def test_every_codeword_keeps_one_place(blocks, codewords):
    for seed in range(4):
        codewords = jump(codewords, 40, seed)
        assert blocks.follow(codewords.numpy())
        assert places(blocks) == list(range(K))
    assert not blocks.follow(jump(codewords, 240, 9).numpy())


def test_those_that_jump_far_widen_no_other_block(blocks, codewords):
    settled = blocks._settled
    low, high = blocks.low[:settled].copy(), blocks.high[:settled].copy()
    assert np.isinf(blocks.low[settled:]).all()
    assert blocks.follow(jump(codewords, 100, 1).numpy())
    used, near = np.isfinite(low), blocks._far**0.5
    assert (low[used] - blocks.low[:settled][used]).max() < near
    assert (blocks.high[:settled][used] - high[used]).max() < near
    assert np.isfinite(blocks.low[settled:, 0]).sum() >= 2


def test_boxes_hold_the_points_of_their_blocks(blocks, codewords):
    assert blocks.follow(jump(codewords, 100, 1).numpy())
    used = np.flatnonzero((blocks.order >= 0).any(1))
    s, q = used // blocks.kernels.SUPER, used % blocks.kernels.SUPER
    points = np.where(np.isfinite(blocks.points[used]), blocks.points[used], np.nan)
    assert np.array_equal(np.nanmin(points, 2), blocks.low[s, :, q])
    assert np.array_equal(np.nanmax(points, 2), blocks.high[s, :, q])
    assert np.array_equal(blocks.low.min(2).T, blocks.super_low[0, :, : blocks.supers])
    assert np.array_equal(blocks.high.max(2).T, blocks.super_high[0, :, : blocks.supers])
