"""One place in a suite's table."""

from dataclasses import dataclass, field

from benchmark.records.run import Run
from benchmark.suite.grid import Point


@dataclass(frozen=True)
class Cell:
    """One place in the suite's table: an arm at a point of the grid and a seed, and its run or why there is none."""

    arm: str
    codebook_size: int
    seed: int
    run: Run | None
    unavailable: str | None = None
    point: Point = field(default_factory=dict)
