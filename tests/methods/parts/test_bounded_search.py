import copy
import pickle
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from awkward import CODEBOOKS, exact_codes, flat, normal

from methods import create
from methods.parts import bounded_search, codeword_blocks, threads
from methods.parts.bounded_search import SearchMemory, search_bounded, survey
from methods.parts.codeword_blocks import Blocks
from methods.parts.nearest import nearest_codes

pytest.importorskip("numba")


def as_it_is(rows):
    return rows


@pytest.fixture(params=[7, 31])
def forced(request, monkeypatch):
    """The bound is used in so many directions whatever it costs, its loops run on two threads and torch on one."""
    monkeypatch.setattr(bounded_search, "_FEWEST_PAIRS", 0)
    monkeypatch.setattr(bounded_search, "rank_that_pays", lambda *args, **kwargs: request.param)
    monkeypatch.setattr(threads, "torch", SimpleNamespace(get_num_threads=lambda: 2, __file__=torch.__file__))
    return request.param


def bounded_codes(latents, codewords, memory=None):
    codes = search_bounded(latents, codewords, as_it_is, memory)
    assert codes is not None
    assert codes.dtype == torch.int64
    return codes


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000, 3000])
def test_finds_the_nearest_in_fp64(forced, size):
    latents, codewords = flat(300), flat(size, seed=5)
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


@pytest.mark.parametrize("dim", [64, 65, 100, 300])
def test_any_dimension_and_isotropic_rows_too(forced, dim):
    latents, codewords = normal(300, dim), normal(500, dim, seed=1)
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


@pytest.mark.parametrize("rows", [2, 3, 17])
def test_few_latents(forced, rows):
    latents, codewords = flat(rows), flat(700, seed=5)
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


@pytest.mark.parametrize("codebook", CODEBOOKS)
def test_awkward_codebooks(forced, codebook):
    latents = flat(200)
    codewords = CODEBOOKS[codebook](flat(1200, seed=5))
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


def test_nothing_finite_gives_a_valid_code(forced):
    assert bounded_codes(flat(40), torch.full((130, 64), torch.nan)).tolist() == [0] * 40


@pytest.mark.parametrize("factor", [1e-14, 1e-6, 1e6, 1e12])
def test_magnitudes(forced, factor):
    latents, codewords = factor * flat(300), factor * flat(900, seed=5)
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_beyond_those_the_other_search_serves(forced, factor):
    assert search_bounded(factor * flat(300), factor * flat(900, seed=5), as_it_is) is None


def test_latents_of_all_magnitudes_at_once(forced):
    latents = flat(300) * torch.logspace(-20, 12, 300)[:, None]
    codewords = flat(900, seed=5) * torch.logspace(-20, 14, 900)[:, None]
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


def test_rows_of_rank_one_and_rows_of_the_codebook(forced):
    latents = normal(300, 1) @ normal(1, 64) + 2.0
    codewords = torch.cat([latents[::2], flat(500, seed=5)])
    codes = bounded_codes(latents, codewords)
    assert torch.equal(codes, exact_codes(latents, codewords))
    assert torch.equal(codes[::2], torch.arange(150))


def test_crowds_far_from_the_origin(forced):
    """Where |e|² - 2 z·e would lose everything to rounding."""
    latents, codewords = 1000.0 + 1e-2 * flat(300), 1000.0 + 1e-2 * flat(900, seed=5)
    assert torch.equal(bounded_codes(latents, codewords), exact_codes(latents, codewords))


def test_latents_that_are_not_finite_get_a_valid_code(forced):
    latents, codewords = flat(3000), flat(900, seed=5)
    expected = bounded_codes(latents, codewords)
    latents[7], latents[8, 3] = torch.nan, torch.inf  # not among the sampled rows
    codes = bounded_codes(latents, codewords)
    others = (torch.arange(3000) != 7) & (torch.arange(3000) != 8)
    assert torch.equal(codes[others], expected[others])
    assert codes[7] == codes[8] == 0
    latents[0] = torch.nan  # among them
    assert search_bounded(latents, codewords, as_it_is) is None


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_same_codes_through_nearest_codes(forced, monkeypatch, metric):
    latents, codewords = flat(500), flat(800, seed=5)
    codes = nearest_codes(latents.double(), codewords.T.contiguous().T, metric)
    monkeypatch.setattr(bounded_search, "rank_that_pays", lambda *args, **kwargs: 0)
    assert torch.equal(codes, nearest_codes(latents, codewords, metric))


def keep(memory, blocks, looked_at, compared):
    memory._blocks = blocks


class TestMemory:
    """It changes the work, never a code."""

    def follow(self, codebooks, memory):
        for step, codewords in enumerate(codebooks):
            latents = flat(200, seed=100 + step)
            codes = bounded_codes(latents, codewords, memory)
            assert torch.equal(codes, exact_codes(latents, codewords)), step

    def test_a_codebook_that_drifts(self, forced):
        codewords = flat(1500, seed=5)
        self.follow([codewords + 0.02 * step * normal(64) for step in range(6)], SearchMemory())

    def test_codewords_that_jump(self, forced, monkeypatch):
        monkeypatch.setattr(SearchMemory, "back", keep)
        codewords = flat(1500, seed=5)
        codebooks = [codewords]
        for step in range(1, 10):
            codewords = codewords.clone()
            movers = torch.randperm(1500, generator=torch.Generator().manual_seed(step))[:20]
            codewords[movers] = flat(20, seed=50 + step)
            codebooks.append(codewords)
        codebooks.append(codebooks[-1].index_fill(0, torch.arange(40), torch.nan))
        codebooks.append(codebooks[-2].index_fill(0, torch.arange(90), 7.0))  # too many for this order
        memory = SearchMemory()
        self.follow(codebooks[:3], memory)
        blocks = memory._blocks
        assert blocks is not None
        self.follow(codebooks[3:6], memory)
        assert memory._blocks is blocks  # the same order, with places behind it for those that jumped
        self.follow(codebooks[6:-1], memory)
        assert memory._blocks is blocks
        self.follow(codebooks[-1:], memory)
        assert memory._blocks is not blocks

    def test_codewords_that_jump_all_the_time_are_not_followed_every_time(self, forced, monkeypatch):
        monkeypatch.setattr(SearchMemory, "back", keep)
        followed, follow = [], Blocks.follow
        monkeypatch.setattr(Blocks, "follow", lambda *args: followed.append(follow(*args)) or followed[-1])
        self.follow([flat(1500, seed=step) for step in range(12)], SearchMemory())
        assert followed == [False, False]  # the second search and the tenth

    def test_only_an_order_that_lasts_is_made_with_care(self, forced, monkeypatch):
        monkeypatch.setattr(SearchMemory, "back", keep)
        made = []
        for order in (codeword_blocks.kd_order, codeword_blocks.strip_order):
            monkeypatch.setattr(codeword_blocks, order.__name__, self.noting(order, made))
        still = flat(1500, seed=99)
        self.follow([*(flat(1500, seed=step) for step in range(3)), *[still] * 8], SearchMemory())
        assert made == ["kd_order", *["strip_order"] * 8, "kd_order"]  # after which it is only followed

    def noting(self, order, made):
        return lambda *args: made.append(order.__name__) or order(*args)

    def test_replaced_codewords_another_size_and_another_dimension(self, forced):
        memory = SearchMemory()
        self.follow([flat(1500, seed=5), 5 * flat(1500, seed=6) - 9, flat(700, seed=7), flat(1500, seed=8)], memory)
        latents, codewords = normal(300, 80), normal(1500, 80, seed=1)
        assert torch.equal(bounded_codes(latents, codewords, memory), exact_codes(latents, codewords))

    def test_copies_start_empty(self, forced):
        memory = SearchMemory()
        bounded_codes(flat(400), flat(1500, seed=5), memory)
        assert memory._blocks is not None
        for copied in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
            assert copied._blocks is None

    def test_a_quantizer_has_one_and_its_state_has_not(self, forced, monkeypatch):
        monkeypatch.setattr(SearchMemory, "back", keep)
        method = create("simvq", 1200, 64)
        latents = normal(2, 200, 64) @ torch.diag(torch.logspace(0, -3, 64))
        before = method(latents).codes
        other = copy.deepcopy(method)
        assert method.search_memory._blocks is not None
        assert not [name for name in method.state_dict() if "memory" in name]
        assert torch.equal(other(latents).codes, before)
        assert torch.equal(method(latents).codes, before)


def test_more_directions_once_too_many_codewords_are_compared():
    latents = normal(4000, 64) @ torch.diag(torch.logspace(0, -1.5, 64))
    codewords = normal(3000, 64, seed=1) @ torch.diag(torch.logspace(0, -1.5, 64))
    found, memory = survey(latents, as_it_is), SearchMemory()
    for expected in (7, 15):
        codes = bounded_search._search(latents.numpy(), codewords.numpy(), replace(found, rank=7), memory)
        assert memory._rank >= expected if memory._raised else memory._blocks.frame.rank >= expected
        assert torch.equal(codes[:50], exact_codes(latents[:50], codewords))


@pytest.mark.parametrize("missing", ["numba", "compiler"])
def test_without_a_compiler_the_other_search_serves(forced, monkeypatch, missing):
    from methods.parts import bounded_kernels

    if missing == "numba":
        monkeypatch.delattr("methods.parts.bounded_kernels")
        monkeypatch.delitem(sys.modules, "methods.parts.bounded_kernels")
        monkeypatch.setitem(sys.modules, "numba", None)
    else:
        monkeypatch.setattr(bounded_kernels.config, "DISABLE_JIT", 1)
    monkeypatch.setattr(bounded_search, "_kernels", bounded_search._kernels.__wrapped__)
    latents, codewords = flat(400), flat(1500, seed=5)
    assert search_bounded(latents, codewords, as_it_is) is None
    assert torch.equal(nearest_codes(latents, codewords), exact_codes(latents, codewords))
