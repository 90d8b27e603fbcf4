import pytest
import torch
from awkward import flat, normal

from methods.parts.box_bounds import Directions, boxes, lower_bounds
from methods.parts.cells import cells_of

BASIS = torch.linalg.qr(normal(64, 7, seed=3).double())[0].T.contiguous().float()


def leading(rows, rank=7):
    """Directions of a sample, by its singular vectors in fp64."""
    centre = rows.double().mean(0)
    vectors = torch.linalg.svd(rows.double() - centre, full_matrices=False)[2]
    return Directions(centre.float(), vectors[:rank].float().contiguous())


def squared(latents, codewords):
    return torch.cdist(latents.double(), codewords.double(), compute_mode="donot_use_mm_for_euclid_dist").square()


def cells_in_use(cells):
    return [cell[cell >= 0] for cell in cells]


def test_boxes_hold_what_is_counted():
    rows = flat(100)
    rows[5], rows[6] = torch.nan, 1e30
    points = leading(flat(100)).place(rows)
    assert points.counted.tolist() == [index not in (5, 6) for index in range(100)]
    cells = cells_of(points.places, 16)
    around = boxes(points.gather(cells), 16)
    for box, cell in enumerate(cells):
        inside = [index for index in cell.tolist() if index not in (-1, 5, 6)]
        if not inside:
            continue
        assert torch.equal(around.low[box], points.places[inside].amin(0))
        assert torch.equal(around.high[box], points.places[inside].amax(0))
        assert around.reach[box] == points.lengths[inside].amax()
        assert around.norms[box] == points.squares[inside].amax().sqrt()


PAIRS = {
    "flat": (flat(200), flat(600, seed=5)),
    "the same rows": (flat(300), flat(300)),
    "isotropic": (normal(200, 64), normal(600, 64, seed=1)),
    "far from the origin": (1000 + 1e-2 * flat(200), 1000 + 1e-2 * flat(600, seed=5)),
    "rank one": (normal(200, 1) @ normal(1, 64) + 2, normal(600, 1, seed=1) @ normal(1, 64) + 2),
    "tiny": (1e-20 * flat(200), 1e-20 * flat(600, seed=5)),
    "small": (1e-17 * flat(200), 1e-17 * flat(600, seed=5)),
    "large": (1e17 * flat(200), 1e17 * flat(600, seed=5)),
    "outside the plane": (flat(200), 3 + 2 * normal(600, 64, seed=8)),
    "one outlier": (flat(200), flat(600, seed=5).index_fill(0, torch.tensor([9]), 1e6)),
    "all magnitudes": (
        flat(200) * torch.logspace(-20, 17, 200)[:, None],
        flat(600, seed=5) * torch.logspace(-20, 17, 600)[:, None],
    ),
    "all equal": (flat(1).repeat(100, 1), flat(1).repeat(200, 1)),
}


@pytest.mark.parametrize("own", [True, False], ids=["leading", "any directions"])
@pytest.mark.parametrize("pair", PAIRS)
def test_no_bound_exceeds_what_it_bounds(pair, own):
    """In fp64, of single rows and of cells."""
    latents, codewords = PAIRS[pair]
    directions = leading(latents) if own else Directions(latents[0], BASIS)
    points, others = directions.place(latents), directions.place(codewords)
    exact = squared(latents, codewords)
    assert (lower_bounds(boxes(points, 1), boxes(others, 1), directions, 0.0) <= exact).all()
    tiles, blocks = cells_of(points.places, 32), cells_of(others.places, 64)
    tiles, blocks = (cells[(cells >= 0).any(1)] for cells in (tiles, blocks))
    bounds = lower_bounds(boxes(points.gather(tiles), 32), boxes(others.gather(blocks), 64), directions, 2.0**-18)
    norms = latents.double().norm(dim=1)[:, None] + codewords.double().norm(dim=1)
    allowed = exact - 2.0**-18 * norms.square()
    for bound, tile in zip(bounds, cells_in_use(tiles), strict=True):
        least = torch.stack([allowed[tile][:, block].min() for block in cells_in_use(blocks)])
        assert (bound <= least + 1e-6 * least.abs()).all()


def test_where_rows_are_flat_the_bound_is_nearly_the_distance():
    latents, codewords = PAIRS["flat"]
    directions = leading(latents, rank=15)
    points, others = (boxes(directions.place(rows), 1) for rows in (latents, codewords))
    bounds, exact = lower_bounds(points, others, directions, 0.0), squared(latents, codewords)
    assert float((bounds / exact).median()) > 0.95


def test_what_overflows_bounds_nothing():
    latents, codewords = flat(64), flat(128, seed=5)
    latents[3], codewords[7] = 1e22, 1e30
    latents[4] = torch.nan
    directions = leading(flat(64))
    points = directions.place(latents, latents.isfinite().all(1))
    others = directions.place(codewords)
    assert others.counted.sum() == 127
    bounds = lower_bounds(boxes(points, 32), boxes(others, 64), directions, 2.0**-18)
    assert (bounds[0] == -torch.inf).all()
    assert bounds[1].isfinite().all()
    none = boxes(others.gather(torch.full((1, 64), -1)), 64)
    assert (lower_bounds(boxes(points, 32), none, directions, 2.0**-18)[1] == torch.inf).all()


def test_bounds_in_parts_are_the_same(monkeypatch):
    from methods.parts import box_bounds

    latents, codewords = PAIRS["flat"]
    directions = leading(latents)

    def bounds():
        return lower_bounds(boxes(directions.place(latents), 1), boxes(directions.place(codewords), 8), directions, 0.0)

    whole = bounds()
    monkeypatch.setattr(box_bounds, "_GAPS_AT_ONCE", 3 * 75 * 8)
    assert torch.equal(bounds(), whole)
    monkeypatch.setattr(box_bounds, "_ROWS_AT_ONCE", 64 * 50)
    torch.testing.assert_close(bounds(), whole, rtol=1e-4, atol=1e-5)


def test_a_user_s_lower_precision_is_kept_out():
    directions, rows = leading(flat(200)), flat(200)
    exact = (rows.double() - directions.centre.double()) @ directions.basis.double().T
    matmul = torch.backends.mkldnn.matmul
    before, matmul.fp32_precision = matmul.fp32_precision, "bf16"
    try:
        with torch.autocast("cpu", torch.bfloat16):
            places = directions.place(rows).places
        assert matmul.fp32_precision == "bf16"
    finally:
        matmul.fp32_precision = before
    assert places.dtype == torch.float32
    torch.testing.assert_close(places[:, 1:], exact.float(), rtol=1e-4, atol=1e-4)
