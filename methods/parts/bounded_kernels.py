"""Compiled loops of the search by a lower bound: codewords in blocks with boxes, and the search through them.

One file on purpose: what is kept compiled is made anew when its own file changes, not when one that it calls does.
Compiling is what a first search takes its time for, and most of that goes into the types of what is written in Python,
and into vectors made of loops. So what works in vectors is written as instructions of the compiler's (`_instruction`),
all arrays of a loop come from one, what is called is called with one set of types, and no memory is counted.
"""

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce, wraps
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from methods.core.cache import cache_folder

config: Any = numba.config
njit: Any = numba.njit
_intrinsic: Any = intrinsic  # its types know nothing of the context that it supplies
i8: Any = np.int64
Array = np.ndarray
SUPER = 16
"""Blocks under one larger box."""
LANES = 16
"""Bounds compared at once: a block has some multiple of it as places."""
# Sums may be reordered into vectors; infinities and NaN keep their meaning, so not "fast" in full.
_SUMS = ("reassoc", "contract", "nsz", "arcp")
_ROUNDING = 1.0 + 2.0**-40
"""More than two sums in fp64 of the same squares, in whatever order, can differ by."""
_TINY = np.float32(1e-37)
"""More than what squares lose to underflow."""
_TYPES = {"f4": types.float32, "f8": types.float64, "i4": types.int32, "i8": types.int64, "b1": types.boolean}
_WORD, _LANES = ir.IntType(64), ir.VectorType(ir.FloatType(), LANES)
_ZEROS = ir.Constant(_LANES, [0.0] * LANES)


class Loop(NamedTuple):
    """A C function of a table of arrays (`threads.share`), and of what kinds these are, but for the last."""

    function: Any
    kinds: tuple[str, ...]


def _for_threads(kinds: str) -> Callable[[Callable[..., Any]], Loop]:
    """Compile a function of a table of such arrays now, or read it from the cache folder."""

    def compiled(function: Callable[..., Any]) -> Loop:
        own = config.CACHE_DIR
        options: dict[str, Any] = {"fastmath": set(_SUMS), "_nrt": False}
        with _nothing_collected():
            try:
                config.CACHE_DIR = own or str(cache_folder() / "numba")
                loop = numba.cfunc(types.void(types.voidptr), cache=True, **options)(function)
            except (RuntimeError, OSError):  # no folder can be written: every process compiles for itself
                loop = numba.cfunc(types.void(types.voidptr), **options)(function)
            finally:
                config.CACHE_DIR = own
        return Loop(loop, tuple(kinds.split()))

    return compiled


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Compiling makes so many objects that Python would look through all of torch's for garbage again and again."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


_part = njit(nogil=True, fastmath=set(_SUMS), no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
"""What only compiled functions call."""


class _Cells:
    """An array among the arguments of an instruction, as its code is written."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self.context, self.builder, self.kind = context, builder, kind
        self.array = context.make_array(kind)(context, builder, value)

    def at(self, *place: Any) -> Any:
        """A pointer."""
        return cgutils.get_item_pointer(self.context, self.builder, self.kind, self.array, place, wraparound=False)

    def lanes(self, *place: Any) -> Any:
        """A pointer to LANES numbers from there on."""
        return self.builder.bitcast(self.at(*place), _LANES.as_pointer())

    def extent(self, axis: int) -> Any:
        """Its length along an axis."""
        return self.builder.extract_value(self.array.shape, axis)

    def __getitem__(self, place: Any) -> Any:
        """The number there."""
        return self.builder.load(self.at(*place))

    def several(self, *place: Any) -> Any:
        """LANES numbers from there on."""
        return self.builder.load(self.lanes(*place), align=4)

    def put(self, values: Any, *place: Any) -> None:
        """Store LANES numbers from there on."""
        self.builder.store(values, self.lanes(*place), align=4)


def _instruction(returns: Any) -> Callable[[Callable[..., Any]], Any]:
    """What compiled functions use as one instruction, of which only the code that it stands for is to be made.

    Types in what numba is given take longer than the compiler itself.
    """

    def instruction(write: Callable[..., Any]) -> Any:
        @wraps(write)
        def typed(_: Any, *kinds: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                given = (
                    _Cells(context, builder, kind, value) if isinstance(kind, types.Array) else value
                    for kind, value in zip(signature.args, values, strict=True)
                )
                result = write(builder, *given)
                return context.get_dummy_value() if result is None else result

            return returns(*(types.int64 if isinstance(kind, types.Integer) else kind for kind in kinds)), generate

        return _intrinsic(typed)

    return instruction


def _array(context: Any, builder: Any, kind: Any, data: Any, shape: list[Any]) -> Any:
    """An array over memory that it does not own."""
    array = context.make_array(kind)(context, builder)
    itemsize = _number(np.dtype(kind.dtype.name).itemsize)
    strides = [itemsize]
    for extent in reversed(shape[1:]):
        strides.insert(0, builder.mul(extent, strides[0]))
    data = builder.bitcast(data, array.data.type)
    populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()


def _arrays(kinds: str) -> Any:
    """What reads arrays of such kinds ("f4:2": fp32, of two axes), and ``todo`` behind them, from a table."""
    arrays = [types.Array(_TYPES[kind[:2]], int(kind[3:]), "C") for kind in (*kinds.split(), "i8:1")]

    @_intrinsic
    def read(typing: Any, table: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            words = builder.bitcast(arguments[0], _WORD.as_pointer())
            found = []
            for i, kind in enumerate(arrays):
                row = [builder.load(builder.gep(words, [_number(4 * i + j)])) for j in range(1 + kind.ndim)]
                data = builder.inttoptr(row[0], cgutils.voidptr_t)
                found.append(_array(context, builder, kind, data, row[1:]))
            return context.make_tuple(builder, signature.return_type, found)

        return types.Tuple(arrays)(table), generate

    return read


@_intrinsic
def _room(typing: Any, count: Any) -> Any:
    """Memory for so many fp32 until the function returns."""
    kind = types.Array(types.float32, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = builder.alloca(ir.FloatType(), arguments[0])
        data.align = 64
        return _array(context, builder, kind, data, [arguments[0]])

    return kind(types.int64), generate


@_instruction(types.int64)
def _take(builder: Any, todo: Any, place: Any, part: Any) -> Any:
    """Add ``part`` to ``todo[place]``, which threads share, and return what was there before."""
    return builder.atomic_rmw("add", todo.at(place), part, "monotonic")


@_instruction(types.void)
def _bounds(builder: Any, places: Any, n: Any, points: Any, block: Any, first: Any, last: Any, out: Any) -> None:
    """Squared distances of ``places[n] [R]`` from ``points[block] [R, B]``, or the part of some coordinates added."""
    with _steps(builder, first, last, 8) as group:
        coordinates = [builder.add(group, _number(i)) for i in range(8)]
        own = [_everywhere(builder, places[n, r]) for r in coordinates]
        added = builder.icmp_signed(">", group, _number(0))
        with _steps(builder, _number(0), out.extent(0), LANES) as j:
            total = builder.select(added, out.several(j), _ZEROS)
            for r, z in zip(coordinates, own, strict=True):
                total = _plus_square(builder, total, builder.fsub(points.several(block, r, j), z))
            out.put(total, j)


@_instruction(types.void)
def _gaps(builder: Any, places: Any, n: Any, low: Any, high: Any, s: Any, out: Any) -> None:
    """Squared distances of ``places[n] [R]`` from the boxes ``s [R, n]``."""
    with _steps(builder, _number(0), out.extent(0), LANES) as q:
        total = cgutils.alloca_once_value(builder, _ZEROS)
        builder.store(_ZEROS, total)
        with _steps(builder, _number(0), places.extent(1), 1) as d:
            z = _everywhere(builder, places[n, d])
            below, above = builder.fsub(low.several(s, d, q), z), builder.fsub(z, high.several(s, d, q))
            gap = builder.select(builder.fcmp_ordered(">", below, above), below, above)
            gap = builder.select(builder.fcmp_ordered("<", gap, _ZEROS), _ZEROS, gap)
            builder.store(_plus_square(builder, builder.load(total), gap), total)
        out.put(builder.load(total), q)


@_instruction(types.int64)
def _within(builder: Any, values: Any, first: Any, threshold: Any) -> Any:
    """Which of LANES values from ``first`` on do not exceed the threshold, as bits."""
    hits = builder.fcmp_unordered("<=", values.several(first), _everywhere(builder, threshold))
    return builder.zext(builder.bitcast(hits, ir.IntType(LANES)), _WORD)


@_instruction(types.int64)
def _lowest(builder: Any, bits: Any) -> Any:
    """The place of the lowest bit."""
    return builder.cttz(bits, ir.Constant(ir.IntType(1), 1))


@_instruction(types.float32)
def _smallest(builder: Any, values: Any, first: Any) -> Any:
    """The least of LANES values from ``first`` on that is no NaN."""
    kind = ir.FunctionType(ir.FloatType(), [_LANES])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fmin.v{LANES}f32")
    return builder.call(function, [values.several(first)], fastmath=("nsz",))


@_instruction(types.UniTuple(types.float64, 2))
def _project(builder: Any, rows: Any, n: Any, centre: Any, basis: Any, group: Any, scale: Any, places: Any) -> Any:
    """``places[n]`` of ``rows[n]`` along 8 vectors of the basis, scaled; squares of the whole and of these 8."""
    sums = [cgutils.alloca_once(builder, ir.DoubleType()) for _ in range(9)]
    for total in sums:
        builder.store(ir.Constant(ir.DoubleType(), 0.0), total)
    vectors = [builder.add(group, _number(i)) for i in range(8)]
    with _steps(builder, _number(0), rows.extent(1), 1) as d:
        x = builder.fsub(builder.fpext(rows[n, d], ir.DoubleType()), centre[d,])
        for total, factor in zip(sums, [x, *(basis[vector, d] for vector in vectors)], strict=True):
            product = builder.fmul(x, factor, flags=_SUMS)
            builder.store(builder.fadd(builder.load(total), product, flags=_SUMS), total)
    whole, *along = (builder.load(total) for total in sums)
    for vector, value in zip(vectors, along, strict=True):
        builder.store(builder.fptrunc(builder.fmul(value, scale), ir.FloatType()), places.at(n, vector))
    taken = [builder.fmul(value, value) for value in along]
    return cgutils.pack_array(builder, [whole, reduce(builder.fadd, taken)])


@contextmanager
def _steps(builder: Any, first: Any, last: Any, step: int) -> Iterator[Any]:
    """A loop."""
    with cgutils.for_range_slice(builder, first, last, _number(step), _WORD) as (i, _):
        yield i


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


def _everywhere(builder: Any, value: Any) -> Any:
    """LANES times the value."""
    one = builder.insert_element(ir.Constant(_LANES, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(_LANES, ir.Undefined), first)


def _plus_square(builder: Any, total: Any, value: Any) -> Any:
    fused = ["contract"]
    return builder.fadd(total, builder.fmul(value, value, flags=fused), flags=fused)


_PLACED = "f4:2 f8:1 f8:2 f8:1 f4:2 f4:1"
_placed = _arrays(_PLACED)


@_for_threads(_PLACED)
def place(table: Any) -> None:
    """Coordinates ``places [N, R]`` of ``rows``, scaled: what the basis leaves, then along each of its vectors.

    ``lengths [N]``: of the whole. The first vector of the basis is zero, so that R is a multiple of 8.
    """
    rows, centre, basis, scale, places, lengths, todo = _placed(table)
    part, factor = todo[1], scale[0]
    first = _take(todo, 0, part)
    while first < rows.shape[0]:
        for n in range(first, first + part if first + part < rows.shape[0] else rows.shape[0]):
            squares, projected = 0.0, 0.0
            for group in range(0, basis.shape[0], 8):
                squares, taken = _project(rows, n, centre, basis, group, factor, places)
                projected += taken
            rest = squares - projected
            places[n, 0] = math.sqrt(rest if rest > 0.0 else 0.0) * factor
            lengths[n] = math.sqrt(squares) * factor
        first = _take(todo, 0, part)


_LAID_OUT = "f4:2 f4:1 i4:2 f4:3 f4:3 f4:3 f4:3 f4:3 f4:2 f4:1 b1:2 f8:1"
_laid_out = _arrays(_LAID_OUT)


@_for_threads(_LAID_OUT)
def lay_out(table: Any) -> None:
    """Coordinates ``points [blocks, R, B]`` of codewords in ``order [blocks, B]``, and boxes around them.

    ``low``, ``high [supers, R, SUPER]``: of each block; ``reach [supers, SUPER]``: its greatest length. ``super_low``,
    ``super_high [1, R, supers]`` and ``super_reach [supers]``: of each group of blocks, taken from ``todo``.
    A place without a codeword, or with one that is not finite, is infinitely far away and outside the box. So is, for
    now, one that has ``jumped [blocks, B]``: unless ``far`` is inf, the square of its way from what ``points`` held
    exceeds it.
    """
    (
        places,
        lengths,
        order,
        points,
        low,
        high,
        super_low,
        super_high,
        reach,
        super_reach,
        jumped,
        limit,
        todo,
    ) = _laid_out(table)
    size, part, far = places.shape[1], todo[1], limit[0]
    least, most = _room(size), _room(size)
    first = _take(todo, 0, part)
    while first < super_reach.shape[0]:
        for s in range(first, first + part if first + part < super_reach.shape[0] else super_reach.shape[0]):
            super_reach[s] = 0.0
            for d in range(size):
                super_low[0, d, s] = np.inf
                super_high[0, d, s] = -np.inf
            for q in range(SUPER):
                block = s * SUPER + q
                for d in range(size):
                    least[d] = np.inf
                    most[d] = -np.inf
                farthest = np.float32(0.0)
                for j in range(order.shape[1]):
                    k = order[block, j]
                    jumped[block, j] = False
                    inside = k >= 0 and lengths[k] < np.inf
                    if inside and far < np.inf:
                        jump = 0.0
                        for d in range(size):
                            step = places[k, d] - points[block, d, j]
                            jump += step * step
                        inside = not jump > far
                        jumped[block, j] = not inside
                    if inside:
                        farthest = lengths[k] if lengths[k] > farthest else farthest
                        for d in range(size):
                            points[block, d, j] = places[k, d]
                        for d in range(size):
                            least[d] = places[k, d] if places[k, d] < least[d] else least[d]
                            most[d] = places[k, d] if places[k, d] > most[d] else most[d]
                    else:
                        for d in range(size):
                            points[block, d, j] = np.inf
                reach[s, q] = farthest
                super_reach[s] = farthest if farthest > super_reach[s] else super_reach[s]
                for d in range(size):
                    low[s, d, q] = least[d]
                    high[s, d, q] = most[d]
                    if least[d] < super_low[0, d, s]:
                        super_low[0, d, s] = least[d]
                    if most[d] > super_high[0, d, s]:
                        super_high[0, d, s] = most[d]
        first = _take(todo, 0, part)


@_part
def _least(values: Array) -> int:
    """Where the least stands; some place where there are NaN."""
    least = _smallest(values, 0)
    for first in range(LANES, values.shape[0], LANES):
        other = _smallest(values, first)
        least = other if other < least else least
    for first in range(0, values.shape[0], LANES):
        found = _within(values, first, least)
        if found:
            return first + _lowest(found)
    return 0


@_part
def _distance(latents: Array, n: int, codewords: Array, k: int) -> float:
    """Squared, of the fp32 rows as they are, in fp64."""
    total = 0.0
    for d in range(latents.shape[1]):
        x = np.float64(latents[n, d]) - np.float64(codewords[k, d])
        total += x * x
    return total


_LOCATED = "f4:2 f4:3 f4:3 f4:3 f4:3 i4:1"
_located = _arrays(_LOCATED)


@_for_threads(_LOCATED)
def locate(table: Any) -> None:
    """The block nearest to each of ``places [N, R]``."""
    places, low, high, super_low, super_high, home, todo = _located(table)
    super_gaps, gaps, part = _room(super_low.shape[2]), _room(SUPER), todo[1]
    first = _take(todo, 0, part)
    while first < places.shape[0]:
        for n in range(first, first + part if first + part < places.shape[0] else places.shape[0]):
            _gaps(places, n, super_low, super_high, 0, super_gaps)
            s = _least(super_gaps)
            _gaps(places, n, low, high, s, gaps)
            home[n] = s * SUPER + _least(gaps)
        first = _take(todo, 0, part)


_SEARCHED = "f4:2 f4:2 i4:2 f4:3 f4:3 f4:3 f4:3 f4:3 f4:2 f4:1 f4:2 f4:1 i8:1 i4:1 i8:1 i8:1 f8:1"
_searched = _arrays(_SEARCHED)


@_for_threads(_SEARCHED)
def search(table: Any) -> None:
    """``codes`` of the latents ``turn``, taken from ``todo``; adds to ``work [2]`` how many blocks and codewords
    it looked at.

    Neighbours in ``turn`` should be neighbours in space: each starts from the code of the one before it.
    """
    (
        latents,
        codewords,
        order,
        points,
        low,
        high,
        super_low,
        super_high,
        reach,
        super_reach,
        places,
        lengths,
        turn,
        homes,
        codes,
        work,
        scale_and_slack,
        todo,
    ) = _searched(table)
    supers, coordinates, width = super_reach.shape[0], places.shape[1], order.shape[1]
    scale, slack, part = scale_and_slack[0], scale_and_slack[1], todo[1]
    grown = 1.0 + (coordinates + 8) * 2.0**-23
    super_gaps, gaps, bounds = _room(super_low.shape[2]), _room(SUPER), _room(width)
    scanned, compared = 0, 0
    first = _take(todo, 0, part)
    while first < turn.shape[0]:
        previous = i8(0)  # whatever part this thread had before, so that the work does not depend on who does it
        for i in range(first, first + part if first + part < turn.shape[0] else turn.shape[0]):
            n = turn[i]
            length, home = lengths[n], i8(homes[n])
            codes[n] = 0
            if not length < np.inf:
                continue
            # Two guesses set the limit only; whatever is returned comes from the one comparison below, so that no
            # rounding depends on where the search began.
            limit, k = np.inf, previous
            _bounds(places, n, points, home, 0, coordinates, bounds)
            for _ in range(2):
                if k >= 0:
                    distance = _distance(latents, n, codewords, k)
                    limit = distance if distance < limit else limit
                k = i8(order[home, _least(bounds)])
            limit *= _ROUNDING
            root = math.sqrt(limit) * scale
            _gaps(places, n, super_low, super_high, 0, super_gaps)
            best, code = np.inf, -1
            for visit in range(-1, supers):  # at first the block nearby, then those of each group
                s = visit if visit >= 0 else home // SUPER
                extent = slack * (length + super_reach[s])
                threshold = np.float32((root + extent) * (root + extent) * grown) + _TINY
                blocks = 1 << (home % SUPER)
                if visit >= 0:
                    if super_gaps[s] > threshold:
                        continue
                    _gaps(places, n, low, high, s, gaps)
                    blocks = _within(gaps, 0, threshold) & ~(blocks if s == home // SUPER else 0)
                while blocks:
                    q = _lowest(blocks)
                    blocks &= blocks - 1
                    block = s * SUPER + q
                    extent = slack * (length + reach[s, q])
                    threshold = np.float32((root + extent) * (root + extent) * grown) + _TINY
                    if visit >= 0:
                        if gaps[q] > threshold:
                            continue
                        _bounds(places, n, points, block, 0, 8, bounds)
                    scanned += 1
                    if visit >= 0 and coordinates > 8:
                        near = 0
                        for lane in range(0, width, LANES):
                            near |= _within(bounds, lane, threshold)
                        if near == 0:
                            continue
                        _bounds(places, n, points, block, 8, coordinates, bounds)
                    for lane in range(0, width, LANES):
                        near = _within(bounds, lane, threshold)
                        while near:
                            j = lane + _lowest(near)
                            near &= near - 1
                            k = i8(order[block, j])
                            if bounds[j] > threshold or k < 0:
                                continue
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
        first = _take(todo, 0, part)
    _take(work, 0, scanned)
    _take(work, 1, compared)
