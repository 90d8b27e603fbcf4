"""What lies so far from the rest of a panel that it would press that together, and is told at its edge instead."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np

from benchmark.report.places import Place
from benchmark.report.plots.scales import is_wide

FAR = 2.0
"""What lies further from the others than this many times what they span would press them together."""
PRESSED = 0.25
"""Share of an axis that is too little for all but a few arms."""
FEW = 3
"""One arm in so many at most may be told at the edge; of no more than these none, since two press nobody."""
TOLD_SIZE = 7.0
"""Points of the letters there."""

Cell = tuple[str, Place]


class Extent(NamedTuple):
    """From where to where an arm is drawn at a place, its runs and interval included, and its mean."""

    low: float
    mean: float
    high: float


def is_far(value: float, others: Sequence[float]) -> bool:
    """Whether what is at ``value`` would press ``others`` together, on the scale that they have."""
    if not others:
        return False
    wide = is_wide(others)
    return _is_beyond(_on(wide, value), [_on(wide, one) for one in others])


def far_away(extents: Mapping[Cell, Extent]) -> dict[Cell, int]:
    """What few arms have so far away that the rest would be pressed together: on which side, -1 for below the rest.

    Decided at all places at once, which have one axis. Step by step: behind what lies very far there may be more.
    """
    arms = len({arm for arm, _ in extents})
    most = arms // FEW if arms > FEW else 0
    far: dict[Cell, int] = {}
    while True:
        rest = {cell: extent for cell, extent in extents.items() if cell not in far}
        found = _pressing(rest, {arm for arm, _ in far}, most)
        if not found:
            return far
        far |= found


def _pressing(extents: Mapping[Cell, Extent], known: Set[str], most: int) -> dict[Cell, int]:
    """The fewest cells at the ends without which the others have room; ``most`` arms at most, with those ``known``."""
    cells = sorted(extents, key=lambda cell: extents[cell].mean)
    for count in range(1, len(cells)):
        cuts = [(below, len(cells) - count + below) for below in range(count + 1)]
        few = [cut for cut in cuts if len({arm for arm, _ in cells[: cut[0]] + cells[cut[1] :]} | known) <= most]
        for below, above in few:
            ends = [*cells[:below], *cells[above:]]
            if _press([extents[cell] for cell in ends], [extents[cell] for cell in cells[below:above]]):
                return {cell: -1 if cell in cells[:below] else 1 for cell in ends}
        if not few:
            break
    return {}


def _press(ends: Sequence[Extent], rest: Sequence[Extent]) -> bool:
    """Whether ``ends``, all of them far away, leave too little to ``rest``, on the scale that it has."""
    wide = is_wide([extent.mean for extent in rest])
    inner, outer = _reach(rest, wide), _reach([*ends, *rest], wide)
    room = inner[1] - inner[0] < PRESSED * (outer[1] - outer[0])
    return room and all(_is_beyond(_on(wide, extent.mean), inner) for extent in ends)


def _reach(extents: Sequence[Extent], wide: bool) -> tuple[float, float]:
    # An interval that reaches zero is cut by a logarithmic axis, a mean there lies below it.
    lows = (extent.mean if wide and extent.low <= 0 else extent.low for extent in extents)
    return min(_on(wide, low) for low in lows), max(_on(wide, extent.high) for extent in extents)


def _is_beyond(value: float, others: Sequence[float]) -> bool:
    """Of values as they lie on an axis; what is below it is beyond all others, and none of them."""
    low, high = min(one for one in others if one > -np.inf), max(others)
    reach = FAR * (high - low)
    return low < high and not low - reach <= value <= high + reach


def _on(wide: bool, value: float) -> float:
    """Where a value lies on a logarithmic axis, or on a linear one."""
    if not wide:
        return value
    return float(np.log(value)) if value > 0 else -np.inf
