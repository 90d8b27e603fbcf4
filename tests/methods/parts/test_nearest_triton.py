"""The Triton kernels in Triton's interpreter: their arithmetic on a CPU, without a word about speed."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from awkward import CODEBOOKS, exact_codes, flat, normal

from methods.parts.bounded_survey import survey
from methods.parts.bounded_tiles import directions_of
from methods.parts.nearest import TOLERANCE

pytest.importorskip("triton")


SHAPES = [(1, 1, 1), (70, 300, 8), (20, 90, 64), (40, 130, 70)]
RANDOM = {str(shape): (normal(shape[0], shape[2]), normal(shape[1], shape[2], seed=1)) for shape in SHAPES}

# Whole numbers: sums are exact in any order, so that equal codewords are at equal distances.
BASE = normal(150, 6).mul(4).round()
TIES = (normal(40, 6, seed=1).mul(4).round(), BASE.repeat(2, 1))

CLEAN = (normal(10, 8), normal(90, 8, seed=1))
SPOILT = (CLEAN[0].clone(), torch.cat([CLEAN[1], torch.full((1, 8), torch.nan), torch.full((1, 8), torch.inf)]))
SPOILT[0][3], SPOILT[0][4, 0] = torch.nan, torch.inf


def tiled(latents, codewords, rank=7):
    """A search in tiles, in directions of other latents."""
    directions = DIRECTIONS[latents.shape[1], rank]
    return latents, codewords, directions.centre, directions.basis


DIRECTIONS = {
    (dim, rank): directions_of(survey(flat(300, dim), lambda rows: rows), rank, torch.device("cpu"))
    for dim, rank in ((64, 7), (64, 15), (70, 7), (40, 7))
}
WHOLE = normal(100, 40).mul(4).round()
TILED = {
    "flat": tiled(flat(70), flat(200, seed=5)),
    "flat, more directions": tiled(flat(40), flat(150, seed=5), rank=15),
    "by slices": tiled(flat(40, 70), flat(150, 70, seed=5)),
    "isotropic": tiled(normal(40, 40), normal(90, 40, seed=1)),
    "ties": tiled(normal(40, 40, seed=1).mul(4).round(), WHOLE.repeat(2, 1)),
    "one codeword": tiled(flat(3), flat(1)),
    "rank one": tiled(normal(40, 1) @ normal(1, 64) + 2, normal(90, 1, seed=1) @ normal(1, 64) + 2),
    "large": tiled(1e17 * flat(40), 1e17 * flat(90, seed=5)),
    **{name: tiled(flat(30), make(flat(90, seed=5))) for name, make in CODEBOOKS.items()},
}
TINY = tiled(1e-20 * flat(40), 1e-20 * flat(90, seed=5))
BROKEN = tiled(TILED["flat"][0].clone(), TILED["flat"][1])
BROKEN[0][3], BROKEN[0][4, 0] = torch.nan, torch.inf
LINE = flat(600, rank=1) - 3.0
LINE = LINE[LINE.norm(dim=1).mul(LINE[:, 0].sign()).argsort()]
ENDS = tiled(torch.cat([LINE[:16], LINE[-16:]]) + 0.01, LINE)

VECTORS = normal(5, 20) * torch.logspace(-6, 6, 20)


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    """What the kernels make of all cases, run in one process of their own."""
    folder = tmp_path_factory.mktemp("interpreted")
    search = {**RANDOM, "ties": TIES, "clean": CLEAN, "spoilt": SPOILT, "none": (torch.empty(0, 8), normal(5, 8))}
    tiles = {**TILED, "tiny": TINY, "broken": BROKEN, "ends": ENDS}
    torch.save({"search": search, "tiles": tiles, "split": VECTORS}, folder / "cases.pt")
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


@pytest.mark.parametrize("case", TILED)
def test_a_search_in_tiles_finds_the_nearest(interpreted, case):
    latents, codewords = TILED[case][:2]
    codes = interpreted["tiles"][case][0]
    latents, codewords = latents.double(), codewords.double().nan_to_num(1e30, 1e30, 1e30)
    expected = exact_codes(latents, codewords)
    if case not in ("from tiny to huge", "large", "flat, more directions"):
        assert torch.equal(codes, expected)
    excess = (latents - codewords[codes]).square().sum(1) - (latents - codewords[expected]).square().sum(1)
    assert (excess <= TOLERANCE * (latents.norm(dim=1) + codewords[codes].norm(dim=1)).square()).all()


def test_a_search_in_tiles_passes_over_what_is_far(interpreted):
    """Also over blocks between its latents, which their box holds."""
    codes, share = interpreted["tiles"]["ends"]
    assert torch.equal(codes, exact_codes(*ENDS[:2]))
    assert 0 < float(share) <= 1 / 4
    assert interpreted["tiles"]["isotropic"][1] == 1


def test_latents_that_are_not_finite_get_some_code_from_a_tile(interpreted):
    codes, expected = interpreted["tiles"]["broken"][0], interpreted["tiles"]["flat"][0]
    assert ((codes >= 0) & (codes < 200)).all()
    sound = [index for index in range(70) if index not in (3, 4)]
    assert torch.equal(codes[sound], expected[sound])
    codes = interpreted["tiles"]["tiny"][0]  # the squares of these are all 0
    assert ((codes >= 0) & (codes < 90)).all()


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
