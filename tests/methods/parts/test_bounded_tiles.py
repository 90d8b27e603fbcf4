"""The search in tiles on a CPU, with the kernel said in PyTorch."""

import copy

import pytest
import torch
from awkward import CODEBOOKS, exact_codes, flat, normal

from methods.parts import bounded_tiles
from methods.parts.bounded_search import SearchMemory
from methods.parts.bounded_survey import survey
from methods.parts.bounded_tiles import (
    BLOCK,
    NO_CODE,
    TILE,
    TileMemory,
    best_choice,
    directions_of,
    search_in,
    search_tiles,
)
from methods.parts.nearest import TOLERANCE, compare_all


def as_it_is(rows):
    return rows


def compare_in_torch(blocks):
    """What the kernel does, but for the bounds of single latents."""
    codewords = blocks.codewords.nan_to_num(0.0, 0.0, 0.0)
    squares = codewords.square().sum(1).masked_fill_(blocks.codes == NO_CODE, torch.inf)

    def search(tiles):
        codes = torch.zeros(len(tiles.latents), dtype=torch.int32)
        compared = torch.zeros(len(tiles.queue), dtype=torch.int32)
        for tile, (bounds, queue) in enumerate(zip(tiles.bounds.tolist(), tiles.queue.tolist(), strict=True)):
            here = slice(tile * TILE, (tile + 1) * TILE)
            latents, counted, own = tiles.latents[here], tiles.points.counted[here], tiles.points.squares[here]
            best, farthest = torch.full((TILE,), torch.inf), torch.inf
            for bound, block in zip(bounds, queue, strict=True):
                if bound > farthest:
                    break
                there = slice(block * BLOCK, (block + 1) * BLOCK)
                keys = squares[there] - 2 * (latents[:, None] * codewords[there]).sum(2)
                nearest = keys.amin(1)
                found = torch.where(keys == nearest[:, None], blocks.codes[there], NO_CODE).amin(1)
                closer = (nearest < best) | (nearest == best) & (found < codes[here])
                best = torch.where(closer, nearest, best)
                codes[here] = torch.where(closer, found, codes[here])
                farthest = max(torch.where(counted, best + own, -torch.inf).tolist())
                compared[tile] += 1
        return codes, compared

    return search


def leading(latents, rank=7):
    found = survey(latents, as_it_is)
    assert found is not None
    return directions_of(found, rank, latents.device)


def assert_nearest(codes, latents, codewords):
    latents, codewords = latents.double(), codewords.double()
    best = codewords[exact_codes(latents, codewords)]
    excess = (latents - codewords[codes]).square().sum(1) - (latents - best).square().sum(1)
    scale = (latents.norm(dim=1) + codewords[codes].norm(dim=1)).square()
    assert codes.dtype == torch.int64
    assert (excess <= TOLERANCE * scale).all(), (excess / scale).max()


@pytest.mark.parametrize("size", [1, 64, 65, 700])
@pytest.mark.parametrize("rows", [1, 33, 200])
def test_finds_the_nearest(rows, size):
    latents, codewords = flat(max(2, rows)), flat(size, seed=5)
    codes, _ = search_in(leading(latents), latents[:rows], codewords, compare_in_torch)
    assert_nearest(codes, latents[:rows], codewords)


def test_few_blocks_are_compared_and_a_sample_tells_how_many():
    latents, codewords = flat(500, rank=2, noise=0.01), flat(5000, rank=2, noise=0.01, seed=5)
    found = survey(latents, as_it_is)
    choice = best_choice(found, latents, codewords, compare_all)
    codes, share = search_in(choice.directions, latents, codewords, compare_in_torch)
    assert_nearest(codes, latents, codewords)
    assert choice.share < 1 / 8
    assert choice.share <= float(share) < 4 * choice.share  # the stand-in looks at whole tiles alone


def test_more_directions_where_these_leave_fewer_pairs():
    latents, codewords = (normal(900, 64, seed=seed) @ torch.diag(torch.logspace(0, -1.5, 64)) for seed in (0, 1))
    found = survey(latents, as_it_is)
    shares = dict.fromkeys((7, 15, 31), 0.0)
    for rank in shares:
        shares[rank] = float(bounded_tiles._share_left(leading(latents, rank), latents, codewords, compare_all))
    best = best_choice(found, latents, codewords, compare_all)
    assert best.share <= min(shares.values()) / 0.75
    assert shares[best.directions.basis.shape[0]] == best.share
    assert best_choice(found, latents, codewords * 1e-3, compare_all).directions.basis.shape[0] == 7  # all is left


@pytest.mark.parametrize("codebook", CODEBOOKS)
def test_awkward_codebooks(codebook):
    latents, codewords = flat(100), flat(400, seed=5)
    codewords = CODEBOOKS[codebook](codewords)
    codes, _ = search_in(leading(latents), latents, codewords, compare_in_torch)
    clean = codewords.nan_to_num(1e30, 1e30, 1e30)
    assert_nearest(codes, latents, clean)
    if codebook in ("all equal", "duplicates", "neighbouring duplicates"):
        assert torch.equal(codes, exact_codes(latents, clean))


def test_nothing_finite_and_latents_that_are_not():
    latents, codewords = flat(70), flat(300, seed=5)
    directions = leading(latents)
    assert search_in(directions, latents, torch.full((300, 64), torch.nan), compare_in_torch)[0].tolist() == [0] * 70
    expected = search_in(directions, latents, codewords, compare_in_torch)[0]
    latents[5], latents[6, 0], latents[7] = torch.nan, torch.inf, 1e19
    codes, _ = search_in(directions, latents, codewords, compare_in_torch)
    assert ((codes >= 0) & (codes < 300)).all()
    sound = [index for index in range(70) if index not in (5, 6, 7)]
    assert torch.equal(codes[sound], expected[sound])


@pytest.mark.parametrize("factor", [1e-20, 1e-14, 1e14, 1e17])
def test_magnitudes(factor):
    """Beyond fp32's squares all keys are alike, and any code is as good."""
    latents, codewords = flat(60), flat(200, seed=5)
    directions = leading(latents)
    codes, _ = search_in(directions, factor * latents, factor * codewords, compare_in_torch)
    assert ((codes >= 0) & (codes < 200)).all()
    if factor > 1e-15:
        assert_nearest(codes, factor * latents, factor * codewords)


def test_any_directions_give_the_same_codes():
    latents, codewords = flat(100), flat(500, seed=5)
    for directions in [leading(rows, rank) for rank in (7, 31) for rows in (latents, codewords, normal(500, 64))]:
        codes, _ = search_in(directions, latents, codewords, compare_in_torch)
        assert torch.equal(codes, exact_codes(latents, codewords))


def test_parts_of_the_latents_change_nothing(monkeypatch):
    latents, codewords = flat(150), flat(300, seed=5)
    directions = leading(latents)
    whole = search_in(directions, latents, codewords, compare_in_torch)[0]
    monkeypatch.setattr(bounded_tiles, "_ELEMENTS_AT_ONCE", 64 * 40)
    assert torch.equal(search_in(directions, latents, codewords, compare_in_torch)[0], whole)


AGREE = bounded_tiles._agree


class Asked:
    """What compares all, for the samples alone, and counts how often it was asked."""

    times = 0

    def __call__(self, latents, codewords):
        assert latents.shape[0] < 1000
        self.times += 1
        return compare_all(latents, codewords)


class TestMemory:
    """Whether this search is chosen, and for how long."""

    LATENTS, CODEWORDS = flat(500, rank=2, noise=0.01), flat(4096, rank=2, noise=0.01, seed=5)

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch):
        monkeypatch.setattr(bounded_tiles, "_FEWEST_CODEWORDS", 1000)
        monkeypatch.setattr(bounded_tiles, "_FEWEST_PRODUCTS", 1000)
        monkeypatch.setattr(bounded_tiles, "_PAYS", 1 / 4)  # few tiles and blocks are wide ones
        monkeypatch.setattr(bounded_tiles, "_agree", lambda *args: True)  # `first` and `everything` find nothing

    def search(self, memory, asked, latents=LATENTS, codewords=CODEWORDS, kernel=None):
        return search_tiles(latents, codewords, as_it_is, asked, kernel or self.first, memory)

    @staticmethod
    def first(blocks):
        """No search: the codes are 0, and nothing was compared."""
        return lambda tiles: (torch.zeros(len(tiles.latents), dtype=torch.int32), torch.zeros(len(tiles.queue)))

    @staticmethod
    def everything(blocks):
        compared = len(blocks.boxes.reach)
        return lambda tiles: (
            torch.zeros(len(tiles.latents), dtype=torch.int32),
            torch.full((len(tiles.queue),), compared),
        )

    def test_codes_are_the_nearest(self, monkeypatch):
        monkeypatch.setattr(bounded_tiles, "_PAYS", 1.0)
        latents = self.LATENTS[:100]
        codes = self.search(TileMemory(), Asked(), latents, kernel=compare_in_torch)
        assert_nearest(codes, latents, self.CODEWORDS)

    def test_wrong_codes_are_found_out_and_the_search_is_given_up(self, monkeypatch):
        monkeypatch.setattr(bounded_tiles, "_agree", AGREE)
        asked, memory = Asked(), TileMemory()
        with pytest.warns(RuntimeWarning, match="found other codes than comparing all does, and is not used"):
            assert self.search(memory, asked) is None
        times = asked.times
        assert all(self.search(memory, asked) is None for _ in range(100))
        assert asked.times == times

    def test_right_codes_are_checked_once_for_each_choice(self, monkeypatch):
        checks = []
        monkeypatch.setattr(bounded_tiles, "_PAYS", 1.0)
        monkeypatch.setattr(bounded_tiles, "_agree", lambda *args: checks.append(AGREE(*args)) or checks[-1])
        memory = TileMemory()
        for _ in range(3):
            assert self.search(memory, Asked(), self.LATENTS[:100], kernel=compare_in_torch) is not None
        assert (
            self.search(memory, Asked(), self.LATENTS[:100, :40], self.CODEWORDS[:, :40], compare_in_torch) is not None
        )
        assert checks == [True, True]

    def test_small_searches_are_not_asked_about(self, monkeypatch):
        asked, memory = Asked(), TileMemory()
        assert self.search(memory, asked, self.LATENTS[:, :14], self.CODEWORDS[:, :14]) is None
        monkeypatch.setattr(bounded_tiles, "_FEWEST_PRODUCTS", 500 * 4096 * 64 + 1)
        assert self.search(memory, asked) is None
        monkeypatch.setattr(bounded_tiles, "_FEWEST_CODEWORDS", 4097)
        assert self.search(memory, asked) is None
        assert asked.times == 0

    def test_where_algorithms_are_to_be_deterministic_all_is_compared(self, monkeypatch):
        monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
        assert self.search(TileMemory(), Asked()) is None

    def test_where_it_pays_the_directions_are_kept_while_they_save_work(self, monkeypatch):
        monkeypatch.setattr(bounded_tiles, "_KEPT_FOR", 8)
        asked, memory = Asked(), TileMemory()
        assert self.search(memory, asked) is not None
        asked_once, choice = asked.times, memory._choice
        assert choice is not None
        for _ in range(12):
            self.search(memory, asked)
        assert asked.times == asked_once
        assert memory._choice is choice
        for _ in range(8):
            self.search(memory, asked, kernel=self.everything)
        assert asked.times == 2 * asked_once
        assert memory._choice is not choice

    @pytest.mark.parametrize("why", ["isotropic", "too many left", "all the same", "not finite"])
    def test_where_it_does_not_pay_it_is_asked_less_and_less(self, why, monkeypatch):
        latents, codewords = {
            "isotropic": (normal(300, 64), self.CODEWORDS),
            "too many left": (self.LATENTS, 1e-3 * self.CODEWORDS),
            "all the same": (torch.ones(300, 64), self.CODEWORDS),
            "not finite": (torch.full((300, 64), torch.nan), self.CODEWORDS),
        }[why]
        turns, surveys = [], []
        monkeypatch.setattr(bounded_tiles, "survey", lambda *args: surveys.append(len(turns)) or survey(*args))
        monkeypatch.setattr(bounded_tiles, "best_choice", self.once(bounded_tiles.best_choice))
        asked, memory = Asked(), TileMemory()
        while len(turns) < 4000:
            turns.append(self.search(memory, asked, latents, codewords))
        assert all(codes is None for codes in turns)
        assert surveys == [0, 64, 192, 448, 960, 1984, 3008]
        assert (asked.times > 0) == (why == "too many left")

    @staticmethod
    def once(function):
        """Its first result, again and again."""
        results = []

        def call(*args):
            if not results:
                results.append(function(*args))
            return results[0]

        return call

    def test_another_codebook(self, monkeypatch):
        monkeypatch.setattr(bounded_tiles, "_PAYS", 1.0)
        asked, memory = Asked(), TileMemory()
        for size, dim in ((4096, 64), (2000, 64), (2000, 40)):
            latents, codewords = self.LATENTS[:100, :dim], self.CODEWORDS[:size, :dim]
            assert_nearest(self.search(memory, asked, latents, codewords, compare_in_torch), latents, codewords)
            assert memory._choice.directions.basis.shape[1] == dim

    def test_copies_start_empty(self):
        memory = SearchMemory()
        self.search(memory.tiles, Asked())
        assert memory.tiles._choice is not None
        assert copy.deepcopy(memory).tiles._choice is None
