"""Compiled loops of the search by a lower bound: codewords in blocks with boxes, and the search through them.

One file on purpose: what is kept compiled is made anew when its own file changes, not when one that it calls does.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from methods.core.cache import cache_folder

config: Any = numba.config
njit: Any = numba.njit
_intrinsic: Any = intrinsic  # its types know nothing of the context that it supplies
carray: Any = numba.carray
f4, f8, i4, i8, b1 = np.float32, np.float64, np.int32, np.int64, np.bool_
Array = np.ndarray
SUPER = 16
"""Blocks under one larger box."""
_AHEAD = 12
"""Codewords whose memory is asked for before they are needed, as an order leaps about in a large codebook."""
LANES = 16
"""Bounds compared at once: a block has some multiple of it as places."""
# Sums may be reordered into vectors; infinities and NaN keep their meaning, so not "fast" in full.
_SUMS = {"reassoc", "contract", "nsz", "arcp"}
_ROUNDING = 1.0 + 2.0**-40
"""More than two sums in fp64 of the same squares, in whatever order, can differ by."""
_TINY = np.float32(1e-37)
"""More than what squares lose to underflow."""


class Loop(NamedTuple):
    """A C function of a table of arrays (`threads.share`), and of what kinds these are, but for the last."""

    function: Any
    kinds: tuple[str, ...]


def _for_threads(kinds: str) -> Callable[[Callable[..., Any]], Loop]:
    """Compile a function of a table of such arrays now, or read it from the cache folder."""

    def compiled(function: Callable[..., Any]) -> Loop:
        own = config.CACHE_DIR
        try:
            config.CACHE_DIR = own or str(cache_folder() / "numba")
            loop = numba.cfunc(types.void(types.voidptr), cache=True, fastmath=_SUMS)(function)
        except (RuntimeError, OSError):  # no folder can be written: every process compiles for itself
            loop = numba.cfunc(types.void(types.voidptr), fastmath=_SUMS)(function)
        finally:
            config.CACHE_DIR = own
        return Loop(loop, tuple(kinds.split()))

    return compiled


_part = njit(nogil=True, fastmath=_SUMS, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""What only compiled functions call."""
_ordered = njit(nogil=True, fastmath={"nnan", "nsz"}, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""The same where a minimum is to be taken in vectors, which NaN forbid."""


@_intrinsic
def _prefetch(typing: Any, rows: Any, k: Any, d: Any) -> Any:
    """Ask for the memory at ``rows[k, d]``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        at = cgutils.get_item_pointer(context, builder, array_type, array, arguments[1:], wraparound=False)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = ir.Constant(number, 0), ir.Constant(number, 3), ir.Constant(number, 1)
        builder.call(function, [builder.bitcast(at, byte), read, keep, data])
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp), generate


@_intrinsic
def _take(typing: Any, todo: Any, part: Any) -> Any:
    """Add ``part`` to ``todo [1]``, which threads share, and return what was there before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, arguments[0])
        first = [context.get_constant(types.intp, 0)]
        at = cgutils.get_item_pointer(context, builder, array_type, array, first, wraparound=False)
        return builder.atomic_rmw("add", at, arguments[1], "monotonic")

    return types.int64(todo, types.int64), generate


@_intrinsic
def _address(typing: Any, number: Any) -> Any:
    """The memory at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(number), generate


@_part
def _coordinates(rows: Array, k: int, centre: Array, basis: Array, scale: float, out: Array, n: int) -> float:
    """``out[n] [R]``: coordinates of ``rows[k]``, scaled: what the basis leaves, then along each of its vectors.

    Returns the length of the whole. The first vector of the basis is zero, so that R is a multiple of 8.
    """
    squares, projected = 0.0, 0.0
    for group in range(0, basis.shape[0], 8):
        squares = 0.0
        a0, a1, a2, a3, a4, a5, a6, a7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for d in range(rows.shape[1]):
            x = np.float64(rows[k, d]) - centre[d]
            squares += x * x
            a0 += x * basis[group, d]
            a1 += x * basis[group + 1, d]
            a2 += x * basis[group + 2, d]
            a3 += x * basis[group + 3, d]
            a4 += x * basis[group + 4, d]
            a5 += x * basis[group + 5, d]
            a6 += x * basis[group + 6, d]
            a7 += x * basis[group + 7, d]
        projected += a0 * a0 + a1 * a1 + a2 * a2 + a3 * a3 + a4 * a4 + a5 * a5 + a6 * a6 + a7 * a7
        out[n, group] = a0 * scale
        out[n, group + 1] = a1 * scale
        out[n, group + 2] = a2 * scale
        out[n, group + 3] = a3 * scale
        out[n, group + 4] = a4 * scale
        out[n, group + 5] = a5 * scale
        out[n, group + 6] = a6 * scale
        out[n, group + 7] = a7 * scale
    rest = squares - projected
    out[n, 0] = math.sqrt(rest if rest > 0.0 else 0.0) * scale
    return math.sqrt(squares) * scale


@_for_threads("f4 i4 f8 f8 f4 f4 f4 f4 f4 f4 f4 b1 f8")
def lay_out(pointer: Any) -> None:
    """Coordinates ``points [blocks, R, B]`` of codewords in ``order [blocks, B]``, and boxes around them.

    ``low``, ``high [supers, R, SUPER]``: of each block; ``reach [supers, SUPER]``: its greatest length. ``super_low``,
    ``super_high [1, R, supers]`` and ``super_reach [supers]``: of each group of blocks, taken from ``todo``.
    A place without a codeword, or with one that is not finite, is infinitely far away and outside the box. So is, for
    now, one that has ``jumped [blocks, B]``: unless ``far`` is inf, the square of its way from what ``points`` held
    exceeds it.
    """
    t = carray(pointer, (14, 4), i8)
    codewords = carray(_address(t[0, 0]), (t[0, 1], t[0, 2]), f4)
    order = carray(_address(t[1, 0]), (t[1, 1], t[1, 2]), i4)
    centre = carray(_address(t[2, 0]), (t[2, 1],), f8)
    basis = carray(_address(t[3, 0]), (t[3, 1], t[3, 2]), f8)
    points = carray(_address(t[4, 0]), (t[4, 1], t[4, 2], t[4, 3]), f4)
    low = carray(_address(t[5, 0]), (t[5, 1], t[5, 2], t[5, 3]), f4)
    high = carray(_address(t[6, 0]), (t[6, 1], t[6, 2], t[6, 3]), f4)
    super_low = carray(_address(t[7, 0]), (t[7, 1], t[7, 2], t[7, 3]), f4)
    super_high = carray(_address(t[8, 0]), (t[8, 1], t[8, 2], t[8, 3]), f4)
    reach = carray(_address(t[9, 0]), (t[9, 1], t[9, 2]), f4)
    super_reach = carray(_address(t[10, 0]), (t[10, 1],), f4)
    jumped = carray(_address(t[11, 0]), (t[11, 1], t[11, 2]), b1)
    scale_and_far = carray(_address(t[12, 0]), (t[12, 1],), f8)
    todo = carray(_address(t[13, 0]), (t[13, 1],), i8)
    size, part = basis.shape[0], todo[1]
    scale, far = scale_and_far[0], scale_and_far[1]
    here = np.empty((3, size), np.float32)
    first = _take(todo, part)
    while first < super_reach.shape[0]:
        last = min(first + part, super_reach.shape[0])
        for s in range(first, last):
            for q in range(SUPER):
                block = s * SUPER + q
                for d in range(size):
                    here[1, d] = np.inf
                    here[2, d] = -np.inf
                farthest = 0.0
                for j in range(order.shape[1] if block < order.shape[0] else 0):
                    jumped[block, j] = False
                    length = np.inf
                    ahead = block * order.shape[1] + j + _AHEAD
                    if ahead < order.size:
                        following = order[ahead // order.shape[1], ahead % order.shape[1]]
                        if following >= 0:
                            for d in range(0, codewords.shape[1], LANES):
                                _prefetch(codewords, following, d)
                    if order[block, j] >= 0:
                        length = _coordinates(codewords, order[block, j], centre, basis, scale, here, 0)
                    if length < np.inf:
                        jump = 0.0
                        if far < np.inf:
                            for d in range(size):
                                step = here[0, d] - points[block, d, j]
                                jump += step * step
                        jumped[block, j] = jump > far
                    if length < np.inf and not jumped[block, j]:
                        farthest = length if length > farthest else farthest
                        for d in range(size):
                            points[block, d, j] = here[0, d]
                        for d in range(size):
                            here[1, d] = here[0, d] if here[0, d] < here[1, d] else here[1, d]
                            here[2, d] = here[0, d] if here[0, d] > here[2, d] else here[2, d]
                    else:
                        for d in range(size):
                            points[block, d, j] = np.inf
                reach[s, q] = farthest
                for d in range(size):
                    low[s, d, q] = here[1, d]
                    high[s, d, q] = here[2, d]
            super_reach[s] = 0.0
            for d in range(size):
                super_low[0, d, s] = np.inf
                super_high[0, d, s] = -np.inf
            for q in range(SUPER):
                if reach[s, q] > super_reach[s]:
                    super_reach[s] = reach[s, q]
                for d in range(size):
                    if low[s, d, q] < super_low[0, d, s]:
                        super_low[0, d, s] = low[s, d, q]
                    if high[s, d, q] > super_high[0, d, s]:
                        super_high[0, d, s] = high[s, d, q]
        first = _take(todo, part)


@_ordered
def _least(values: Array) -> int:
    """Where the least stands; some place where there are NaN."""
    least = values[0]
    for q in range(values.shape[0]):
        least = values[q] if values[q] < least else least
    for q in range(values.shape[0]):
        if values[q] == least:
            return q
    return 0


@_part
def _gaps(places: Array, n: int, low: Array, high: Array, s: int, out: Array) -> None:
    """Squared distances of ``places[n] [R]`` from the boxes ``s [R, n]``."""
    for q in range(out.shape[0]):
        out[q] = 0.0
    for d in range(places.shape[1]):
        z = places[n, d]
        for q in range(out.shape[0]):
            below, above = low[s, d, q] - z, z - high[s, d, q]
            gap = below if below > above else above
            twice = gap + abs(gap)  # 0 inside; NaN for a box that is all of space, and NaN exceeds no limit
            out[q] += np.float32(0.25) * twice * twice


@_part
def _bounds(places: Array, n: int, points: Array, block: int, first: int, last: int, out: Array) -> None:
    """Squared distances of ``places[n] [R]`` from ``points[block] [R, B]``, or the part of some coordinates added."""
    if first == 0:
        for j in range(out.shape[0]):
            out[j] = 0.0
    for g in range(first, last, 8):
        z0, z1, z2, z3 = places[n, g], places[n, g + 1], places[n, g + 2], places[n, g + 3]
        z4, z5, z6, z7 = places[n, g + 4], places[n, g + 5], places[n, g + 6], places[n, g + 7]
        for j in range(out.shape[0]):
            t0, t1 = points[block, g, j] - z0, points[block, g + 1, j] - z1
            t2, t3 = points[block, g + 2, j] - z2, points[block, g + 3, j] - z3
            t4, t5 = points[block, g + 4, j] - z4, points[block, g + 5, j] - z5
            t6, t7 = points[block, g + 6, j] - z6, points[block, g + 7, j] - z7
            out[j] += t0 * t0 + t1 * t1 + t2 * t2 + t3 * t3 + t4 * t4 + t5 * t5 + t6 * t6 + t7 * t7


@_part
def _hits(bounds: Array, first: int, last: int, threshold: float) -> int:
    """How many of ``bounds[first:last]`` do not exceed the threshold."""
    hits = 0
    for j in range(first, last):
        hits += bounds[j] <= threshold
    return hits


@_part
def _distance(latents: Array, n: int, codewords: Array, k: int) -> float:
    """Squared, of the fp32 rows as they are, in fp64."""
    total = 0.0
    for d in range(latents.shape[1]):
        x = np.float64(latents[n, d]) - np.float64(codewords[k, d])
        total += x * x
    return total


@_for_threads("f4 f8 f8 f4 f4 f4 f4 f4 f4 i4 f8")
def locate(pointer: Any) -> None:
    """Coordinates ``places [N, R]`` and ``lengths [N]`` of the latents, taken from ``todo``, and the nearest block."""
    t = carray(pointer, (12, 4), i8)
    latents = carray(_address(t[0, 0]), (t[0, 1], t[0, 2]), f4)
    centre = carray(_address(t[1, 0]), (t[1, 1],), f8)
    basis = carray(_address(t[2, 0]), (t[2, 1], t[2, 2]), f8)
    low = carray(_address(t[3, 0]), (t[3, 1], t[3, 2], t[3, 3]), f4)
    high = carray(_address(t[4, 0]), (t[4, 1], t[4, 2], t[4, 3]), f4)
    super_low = carray(_address(t[5, 0]), (t[5, 1], t[5, 2], t[5, 3]), f4)
    super_high = carray(_address(t[6, 0]), (t[6, 1], t[6, 2], t[6, 3]), f4)
    places = carray(_address(t[7, 0]), (t[7, 1], t[7, 2]), f4)
    lengths = carray(_address(t[8, 0]), (t[8, 1],), f4)
    home = carray(_address(t[9, 0]), (t[9, 1],), i4)
    scale = carray(_address(t[10, 0]), (t[10, 1],), f8)
    todo = carray(_address(t[11, 0]), (t[11, 1],), i8)
    super_gaps, gaps = np.empty(super_low.shape[2], np.float32), np.empty(SUPER, np.float32)
    part = todo[1]
    first = _take(todo, part)
    while first < latents.shape[0]:
        last = min(first + part, latents.shape[0])
        for n in range(first, last):
            lengths[n] = _coordinates(latents, n, centre, basis, scale[0], places, n)
            _gaps(places, n, super_low, super_high, 0, super_gaps)
            s = _least(super_gaps)
            _gaps(places, n, low, high, s, gaps)
            home[n] = s * SUPER + _least(gaps)
        first = _take(todo, part)


@_for_threads("f4 f4 i4 f4 f4 f4 f4 f4 f4 f4 f4 f4 i8 i4 i8 i8 f8")
def search(pointer: Any) -> None:
    """``codes`` of the latents ``turn``, taken from ``todo``; adds to ``work [2]`` how many blocks and codewords
    it looked at.

    Neighbours in ``turn`` should be neighbours in space: each starts from the code of the one before it.
    """
    t = carray(pointer, (18, 4), i8)
    latents = carray(_address(t[0, 0]), (t[0, 1], t[0, 2]), f4)
    codewords = carray(_address(t[1, 0]), (t[1, 1], t[1, 2]), f4)
    order = carray(_address(t[2, 0]), (t[2, 1], t[2, 2]), i4)
    points = carray(_address(t[3, 0]), (t[3, 1], t[3, 2], t[3, 3]), f4)
    low = carray(_address(t[4, 0]), (t[4, 1], t[4, 2], t[4, 3]), f4)
    high = carray(_address(t[5, 0]), (t[5, 1], t[5, 2], t[5, 3]), f4)
    super_low = carray(_address(t[6, 0]), (t[6, 1], t[6, 2], t[6, 3]), f4)
    super_high = carray(_address(t[7, 0]), (t[7, 1], t[7, 2], t[7, 3]), f4)
    reach = carray(_address(t[8, 0]), (t[8, 1], t[8, 2]), f4)
    super_reach = carray(_address(t[9, 0]), (t[9, 1],), f4)
    places = carray(_address(t[10, 0]), (t[10, 1], t[10, 2]), f4)
    lengths = carray(_address(t[11, 0]), (t[11, 1],), f4)
    turn = carray(_address(t[12, 0]), (t[12, 1],), i8)
    home = carray(_address(t[13, 0]), (t[13, 1],), i4)
    codes = carray(_address(t[14, 0]), (t[14, 1],), i8)
    work = carray(_address(t[15, 0]), (t[15, 1],), i8)
    scale_and_slack = carray(_address(t[16, 0]), (t[16, 1],), f8)
    todo = carray(_address(t[17, 0]), (t[17, 1],), i8)
    blocks, supers, coordinates = order.shape[0], super_low.shape[2], places.shape[1]
    scale, slack, part = scale_and_slack[0], scale_and_slack[1], todo[1]
    grown = 1.0 + (coordinates + 8) * 2.0**-23
    super_gaps, gaps = np.empty(supers, np.float32), np.empty(SUPER, np.float32)
    bounds = np.empty(order.shape[1], np.float32)
    queue, queued_gaps = np.empty(blocks, np.int32), np.empty(blocks, np.float32)
    scanned, compared = 0, 0
    first = _take(todo, part)
    while first < turn.shape[0]:
        last = min(first + part, turn.shape[0])
        previous = 0  # whatever part this thread had before, so that the work does not depend on who does it
        for i in range(first, last):
            n = turn[i]
            length = lengths[n]
            codes[n] = 0
            if not length < np.inf:
                continue
            # Two guesses set the limit only; whatever is returned comes from the one comparison below, so that no
            # rounding depends on where the search began.
            limit = _distance(latents, n, codewords, previous)
            if not limit < np.inf:
                limit = np.inf
            _bounds(places, n, points, home[n], 0, coordinates, bounds)
            at = _least(bounds)
            if order[home[n], at] >= 0:
                guess = _distance(latents, n, codewords, order[home[n], at])
                if guess < limit:
                    limit = guess
            limit *= _ROUNDING
            root = math.sqrt(limit) * scale
            queue[0], queued_gaps[0], queued = home[n], 0.0, 1
            _gaps(places, n, super_low, super_high, 0, super_gaps)
            for s in range(supers):
                allowed = root + slack * (length + super_reach[s])
                threshold = np.float32(allowed * allowed * grown) + _TINY
                if super_gaps[s] > threshold:
                    continue
                _gaps(places, n, low, high, s, gaps)
                for q in range(SUPER):
                    block = s * SUPER + q
                    if not gaps[q] > threshold and block < blocks and block != home[n]:
                        queue[queued], queued_gaps[queued] = block, gaps[q]
                        queued += 1
            best, code = np.inf, -1
            for at in range(queued):
                block = queue[at]
                extent = slack * (length + reach[block // SUPER, block % SUPER])
                threshold = np.float32((root + extent) * (root + extent) * grown) + _TINY
                if queued_gaps[at] > threshold:
                    continue
                scanned += 1
                if at > 0:
                    _bounds(places, n, points, block, 0, 8, bounds)
                    if coordinates > 8:
                        if _hits(bounds, 0, bounds.shape[0], threshold) == 0:
                            continue
                        _bounds(places, n, points, block, 8, coordinates, bounds)
                for lane in range(0, bounds.shape[0], LANES):
                    if _hits(bounds, lane, lane + LANES, threshold) == 0:
                        continue
                    for j in range(lane, lane + LANES):
                        if bounds[j] > threshold:
                            continue
                        k = order[block, j]
                        if k >= 0:
                            compared += 1
                            distance = _distance(latents, n, codewords, k)
                            if distance < best or (distance == best and k < code):
                                best, code = distance, k
                                if best * _ROUNDING < limit:
                                    limit = best * _ROUNDING
                                    root = math.sqrt(limit) * scale
                                    threshold = np.float32((root + extent) * (root + extent) * grown) + _TINY
            if code >= 0:
                codes[n] = code
                previous = code
        first = _take(todo, part)
    _take(work[:1], scanned)
    _take(work[1:], compared)
