"""The Triton kernel in Triton's interpreter: its arithmetic on a CPU, without a word about speed."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from methods.parts.nearest import TOLERANCE

pytest.importorskip("triton")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SHAPES = [(1, 1, 1), (70, 300, 8), (20, 90, 64), (40, 130, 70)]
RANDOM = {str(shape): (normal(shape[0], shape[2]), normal(shape[1], shape[2], seed=1)) for shape in SHAPES}

# Whole numbers: sums are exact in any order, so that equal codewords are at equal distances.
BASE = normal(150, 6).mul(4).round()
TIES = (normal(40, 6, seed=1).mul(4).round(), BASE.repeat(2, 1))

CLEAN = (normal(10, 8), normal(90, 8, seed=1))
SPOILT = (CLEAN[0].clone(), torch.cat([CLEAN[1], torch.full((1, 8), torch.nan), torch.full((1, 8), torch.inf)]))
SPOILT[0][3], SPOILT[0][4, 0] = torch.nan, torch.inf

VECTORS = normal(5, 20) * torch.logspace(-6, 6, 20)


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """What the kernels make of all cases, run in one process of their own."""
    folder = tmp_path_factory.mktemp("interpreted")
    search = {**RANDOM, "ties": TIES, "clean": CLEAN, "spoilt": SPOILT, "none": (torch.empty(0, 8), normal(5, 8))}
    torch.save({"search": search, "split": VECTORS}, folder / "cases.pt")
    script = Path(__file__).with_name("interpret.py")
    command = [sys.executable, str(script), str(folder / "cases.pt"), str(folder / "results.pt")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "results.pt")


@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_brute_force_in_fp64(interpreted, shape):
    latents, codewords = (rows.double() for rows in RANDOM[str(shape)])
    distances, codes = interpreted["search"][str(shape)]
    exact = torch.cdist(latents, codewords, compute_mode="donot_use_mm_for_euclid_dist").square()
    assert codes.dtype == torch.int64
    assert torch.equal(codes, exact.argmin(1))
    scale = (latents.norm(dim=1) + codewords.norm(dim=1)[codes]).square()
    error = distances.double() + latents.square().sum(1) - exact.min(1).values
    assert (error.abs() <= TOLERANCE * scale).all()


def test_ties_go_to_the_lowest_index_within_tiles_and_across_parts(interpreted):
    latents, codewords = TIES
    exact = torch.cdist(latents.double(), codewords.double(), compute_mode="donot_use_mm_for_euclid_dist")
    assert torch.equal(interpreted["search"]["ties"][1], exact.argmin(1))
    assert int(interpreted["search"]["ties"][1].max()) < 150


def test_nan_and_infinity_do_no_harm(interpreted):
    codes, expected = interpreted["search"]["spoilt"][1], interpreted["search"]["clean"][1]
    assert ((codes >= 0) & (codes < 90)).all()
    sound = torch.tensor([0, 1, 2, 5, 6, 7, 8, 9])
    assert torch.equal(codes[sound], expected[sound])


def test_no_rows(interpreted):
    distances, codes = interpreted["search"]["none"]
    assert distances.shape == codes.shape == (0,)


def test_split_parts_are_tf32_and_lose_little(interpreted):
    high, low, squared_norms = interpreted["split"]
    assert high.shape == low.shape == (64, 32)
    assert not ((high.view(torch.int32) | low.view(torch.int32)) & 0x1FFF).any()
    error = (high.double() + low.double())[:5, :20] - VECTORS.double()
    assert (error.abs() <= 2.0**-22 * VECTORS.abs()).all()
    torch.testing.assert_close(squared_norms[:5], VECTORS.square().sum(1))
    assert squared_norms[5:].isinf().all()
    assert not high[5:].any()
    assert not high[:, 20:].any()
