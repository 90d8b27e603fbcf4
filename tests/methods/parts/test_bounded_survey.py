"""Where the search by a lower bound is taken: decided by a sample of the rows alone."""

import pytest
import torch

from methods.parts.bounded_search import search_bounded
from methods.parts.bounded_survey import rank_that_pays, survey


def as_it_is(rows):
    return rows


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def flat(rows, dim=64, seed=0):
    """Rows that hardly fill their dimensions, about an origin of their own."""
    return normal(rows, 4, seed=seed) @ normal(4, dim, seed=99) + 0.05 * normal(rows, dim, seed=seed + 1) + 3.0


def rank(latents, codewords, remembered=True):
    found = survey(latents, as_it_is)
    return 0 if found is None else rank_that_pays(found, codewords, len(latents), as_it_is, remembered)


@pytest.mark.parametrize("used", [20, 300])
def test_a_collapsed_codebook_whose_few_used_codewords_a_sample_misses(used):
    codewords = 1e-4 * normal(16384, 64, seed=7)  # all together where they began
    codewords[1 : 8 * used : 8] = flat(used, seed=5)  # the sample takes every eighth from 0 on
    assert rank(flat(1568), codewords) == 7


def test_flat_latents_near_their_codewords():
    assert rank(flat(6272), flat(4096, seed=5)) == 7


def test_flatter_ones_with_more_directions():
    scales = torch.diag(torch.cat([torch.ones(14), torch.full((50,), 0.01)]))
    latents, codewords = normal(6272, 64) @ scales, normal(6272, 64, seed=1) @ scales
    assert rank(latents, codewords) in (0, 15)


@pytest.mark.parametrize("dim", [32, 64, 256])
def test_not_where_rows_fill_their_dimensions(dim):
    assert rank(normal(2048, dim), normal(4096, dim, seed=1)) == 0


def test_not_where_all_codewords_are_alike():
    assert rank(flat(6272), 1e-3 * normal(4096, 64)) == 0


def test_not_for_equal_latents_or_few_dimensions_or_little_work():
    assert rank(torch.ones(6272, 64), flat(4096)) == 0
    assert search_bounded(flat(3000, dim=8), flat(4096, dim=8), as_it_is) is None
    assert search_bounded(flat(100), flat(4096), as_it_is) is None
