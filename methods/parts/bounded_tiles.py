"""Exact search on a GPU that compares tiles of latents with few blocks of codewords, where latents are flat enough.

Latents and codewords are put in order in the leading directions of the latents and cut into tiles and blocks of
neighbours, at every search anew, as many codewords may have jumped (of dead ones that are replaced, most do). A tile
goes through the blocks from the least lower bound on (`box_bounds`) until that exceeds the distance of each of its
latents to a codeword already known; a block that is too far from each latent by itself is passed over. The bounds are
narrowed by what keys are taken to be off by, so the code is that of the least key of all codewords, of equal ones the
lowest, whatever the order.

**When.** As many directions of a sample are taken as leave few pairs of tile and block; it pays where that is at most
an eighth of all in a search of at least 16,384 codewords and 2^36 products (6,272 latents by 262,144 codewords by 64
dimensions: 2^36.6). On an H200 the search that compares all is estimated to take 1 to 2 ms then, ordering and bounds,
some hundred small operations, half of one. **None of this has been timed on a GPU yet**: the limits are guesses on the
safe side, and `make perf DEVICE=cuda` times this search at all sizes. Nor has the kernel run on one: the first search
in new directions is checked against comparing all, on a sample of the latents, and given up for good where they part.
A caller without a memory, and one that is compiled, has the search that compares all; also where PyTorch is asked for
deterministic algorithms, as the choice depends on searches before, and keys of the two kernels may be rounded
differently.

Beside the codewords, memory for three copies of them is taken.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.parts.bounded_survey import Dense, Survey, ranks, survey
from methods.parts.box_bounds import Boxes, Directions, Points, boxes, lower_bounds
from methods.parts.cells import cells_of

TILE, BLOCK = 32, 64
"""Latents of a tile and codewords of a block, at most."""
KEYS_ARE_OFF_BY = 2.0**-18
"""What |z|² + |e|² - 2 z·e in fp32 is taken to be off by at most, in units of (|z| + |e|)²."""
NO_CODE = torch.iinfo(torch.int32).max

_FEWEST_CODEWORDS, _FEWEST_PRODUCTS = 1 << 14, 1 << 36
_PAYS, _ENOUGH = 1 / 8, 1 / 32
"""Shares of the pairs: at which this search is chosen, and at which no more directions are tried."""
_WORTH_IT = 0.75
"""The part of the pairs that more directions, which cost more themselves, must leave at most."""
_KEPT_FOR, _ASKED_AGAIN = 64, 1024
"""Searches until a choice is looked at again; until a refusal is at the latest, as every refusal doubles it."""
_SAMPLE = 16
"""Tiles by which pairs are counted."""
_CHECKED = 256
"""Latents whose codes are compared with those of comparing all."""
_ELEMENTS_AT_ONCE = 1 << 21
"""Elements of the latents whose bounds are in memory at a time."""


@dataclass(frozen=True)
class Blocks:
    """Codewords in order ``[B · BLOCK, D]``, their codes int32 (`NO_CODE`: never the nearest), and boxes ``[B]``."""

    codewords: Tensor
    codes: Tensor
    boxes: Boxes
    directions: Directions


@dataclass(frozen=True)
class Tiles:
    """Latents in order ``[T · TILE, D]``, their coordinates, and blocks ``queue [T, B]`` by ascending ``bounds``."""

    latents: Tensor
    points: Points
    bounds: Tensor
    queue: Tensor


Search = Callable[[Tiles], tuple[Tensor, Tensor]]
"""Codes int32 ``[T · TILE]`` of the least keys, any for latents that are not counted; blocks compared ``[T]``."""
Kernel = Callable[[Blocks], Search]
Compare = Callable[[Tensor, Tensor], Tensor]
"""Latents and codewords, dense -> codes, by comparing all."""


@dataclass(frozen=True)
class Choice:
    """Directions to search in, and the ``share`` of pairs that they left when they were chosen."""

    directions: Directions
    share: float

    def fits(self, latents: Tensor) -> bool:
        """Whether they are directions of such rows."""
        centre = self.directions.centre
        return centre.shape == latents.shape[1:] and centre.device == latents.device

    def bears(self, share: float) -> bool:
        """Whether no others, nor comparing all, are likely to be better."""
        return share <= max(2 * self.share, _ENOUGH)


class TileMemory:
    """What the searches of one codebook on a GPU leave to the next: directions, or that there were none worth it.

    It waits for the device once in 64 searches at most.
    """

    def __init__(self) -> None:
        self._choice: Choice | None = None
        self._left, self._refused_for = 0, _KEPT_FOR
        self._share: Tensor | None = None
        self._checked, self._wrong = False, False

    def directions(self, latents: Tensor, codewords: Tensor, dense: Dense, compare: Compare) -> Directions | None:
        """Those to search in; None where comparing all is better."""
        if self._wrong:
            return None
        if self._choice is not None and not self._choice.fits(latents):
            self._choice, self._left = None, 0
        if self._left == 0:
            if self._choice is None or self._share is None or not self._choice.bears(float(self._share)):
                self._choice, self._checked = _choice_that_pays(latents, codewords, dense, compare), False
            self._left = self._refused_for if self._choice is None else _KEPT_FOR
            self._refused_for = min(2 * self._refused_for, _ASKED_AGAIN) if self._choice is None else _KEPT_FOR
        self._left -= 1
        return None if self._choice is None else self._choice.directions

    def bears_out(self, latents: Tensor, codewords: Tensor, codes: Tensor, compare: Compare, share: Tensor) -> bool:
        """Whether ``codes`` found by comparing a ``share`` of all pairs may be trusted; if not, none will be."""
        self._share = share
        if not self._checked:
            self._checked = True
            self._wrong = not _agree(latents, codewords, codes, compare)
            if self._wrong:
                warnings.warn(
                    "the search in tiles found other codes than comparing all does, and is not used; please report it "
                    "with the name of the GPU",
                    RuntimeWarning,
                    stacklevel=2,
                )
        return not self._wrong


def search_tiles(
    latents: Tensor, codewords: Tensor, dense: Dense, compare: Compare, kernel: Kernel, memory: TileMemory
) -> Tensor | None:
    """Codes int64 ``[N]`` of ``latents [N, D]`` in ``codewords [K, D]``; None where this would not pay.

    What is compared is ``dense(rows)``, fp32 and contiguous.
    """
    (rows, dim), size = latents.shape, codewords.shape[0]
    if size < _FEWEST_CODEWORDS or rows * size * dim < _FEWEST_PRODUCTS or not ranks(dim):
        return None
    if torch.are_deterministic_algorithms_enabled():
        return None
    directions = memory.directions(latents, codewords, dense, compare)
    if directions is None:
        return None
    latents, codewords = dense(latents), dense(codewords)
    codes, share = search_in(directions, latents, codewords, kernel)
    return codes if memory.bears_out(latents, codewords, codes, compare, share) else None


def _agree(latents: Tensor, codewords: Tensor, codes: Tensor, compare: Compare) -> bool:
    """Whether a sample's ``codes`` are as near as those of comparing all, but for what keys are off by."""
    step = max(1, len(latents) // _CHECKED)
    rows, found = latents[::step], codes[::step]
    nearest = compare(rows, codewords)
    near, reached = (codewords[which].double() for which in (nearest, found))
    excess = (rows - reached).square().sum(1) - (rows - near).square().sum(1)
    scale = (rows.double().norm(dim=1) + torch.maximum(near.norm(dim=1), reached.norm(dim=1))).square()
    return not bool(((excess > 2 * KEYS_ARE_OFF_BY * scale) & rows.isfinite().all(1)).any())


def search_in(directions: Directions, latents: Tensor, codewords: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Of dense rows, codes int64 ``[N]``, and the share of pairs that was compared, a scalar on the device."""
    blocks = _blocks(codewords, directions)
    search = kernel(blocks)
    codes, compared, pairs = [], [], 0
    for part in latents.split(_at_once(latents)):
        cells, tiles = _tiles(part, blocks)
        found, products = search(tiles)
        beyond = len(part)  # where what fills tiles up goes
        placed = torch.empty(beyond + 1, dtype=torch.int64, device=part.device)
        placed.scatter_(0, torch.where(cells < 0, beyond, cells).flatten(), found.long())
        codes.append(placed[:beyond])
        compared.append(products.sum())
        pairs += tiles.queue.numel()
    return torch.cat(codes), torch.stack(compared).sum() / pairs


def _at_once(latents: Tensor) -> int:
    return max(1, _ELEMENTS_AT_ONCE // latents.shape[1])


def best_choice(found: Survey, latents: Tensor, codewords: Tensor, compare: Compare) -> Choice:
    """For dense rows the fewest directions of which more leave hardly fewer pairs."""
    best = None
    latents = latents[:: max(1, -(-len(latents) // _at_once(latents)))]  # as many as are cut into tiles together
    for rank in ranks(latents.shape[1]):
        directions = directions_of(found, rank, latents.device)
        share = float(_share_left(directions, latents, codewords, compare))
        if best is None or share < _WORTH_IT * best.share:
            best = Choice(directions, share)
        if share <= _ENOUGH:
            break
    assert best is not None, latents.shape
    return best


def directions_of(found: Survey, rank: int, device: torch.device) -> Directions:
    """The leading ``rank`` directions of a sample."""
    frame = found.frame(rank)
    basis = torch.from_numpy(frame.basis[1:]).float()
    return Directions(torch.from_numpy(frame.centre).float().to(device), basis.to(device))


def surveyed(latents: Tensor) -> Survey | None:
    """A sample of dense latents, taken to the host; None where there are no directions to tell."""
    step = max(1, latents.shape[0] // max(256, 2 * latents.shape[1]))
    return survey(latents[::step].cpu(), lambda rows: rows)


def _choice_that_pays(latents: Tensor, codewords: Tensor, dense: Dense, compare: Compare) -> Choice | None:
    rows = dense(latents)
    found = surveyed(rows)
    if found is None or found.fills_its_dimensions:
        return None
    choice = best_choice(found, rows, dense(codewords), compare)
    return choice if choice.share <= _PAYS else None


def _blocks(codewords: Tensor, directions: Directions) -> Blocks:
    points = directions.place(codewords)
    cells = cells_of(points.places, BLOCK)
    points, places = points.gather(cells), cells.flatten()
    codes = torch.where(points.counted, places, NO_CODE).int()
    return Blocks(codewords[places.clamp(min=0)], codes, boxes(points, BLOCK), directions)


def _tiles(latents: Tensor, blocks: Blocks) -> tuple[Tensor, Tiles]:
    """Cells ``[T, TILE]`` of latents, and what is to be searched."""
    cells, points = _in_order(latents, blocks.directions)
    bounds = lower_bounds(boxes(points, TILE), blocks.boxes, blocks.directions, KEYS_ARE_OFF_BY)
    bounds, queue = bounds.sort(1)
    return cells, Tiles(latents[cells.clamp(min=0).flatten()], points, bounds, queue)


def _in_order(latents: Tensor, directions: Directions) -> tuple[Tensor, Points]:
    """Cells ``[T, TILE]`` of latents, and the coordinates of all places in them."""
    points = directions.place(latents, latents.isfinite().all(1))
    cells = cells_of(points.places, TILE)
    return cells, points.gather(cells)


def _share_left(directions: Directions, latents: Tensor, codewords: Tensor, compare: Compare) -> Tensor:
    """Of a sample of tiles, the share of pairs with a block that may hold the nearest codeword of some latent."""
    blocks, (cells, points) = _blocks(codewords, directions), _in_order(latents, directions)
    places = torch.arange(cells.numel(), device=cells.device).view_as(cells)[:: max(1, len(cells) // _SAMPLE)]
    points = points.gather(places)
    rows = latents[cells.flatten()[places.flatten()].clamp(min=0)]
    distances = (rows - codewords[compare(rows, codewords)]).square().sum(1)
    bounds = lower_bounds(boxes(points, 1), blocks.boxes, directions, KEYS_ARE_OFF_BY)
    left = (bounds <= distances[:, None]) & points.counted[:, None]
    return left.view(*places.shape, -1).any(1).float().mean()
