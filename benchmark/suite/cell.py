"""One place in a suite's table, and what is said of those without a run."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmark.records.run import Run
from benchmark.suite.grid import Point
from methods.core.usage import UsageError


class NoWeightsError(UsageError):
    """The weights that an arm starts from, or is read from, can't be had: for a person to mend, as no size is."""


@dataclass(frozen=True)
class Cell:
    """One place in the suite's table: an arm at a point of the grid and a seed, and its run or why there is none.

    ``lacks_weights``: whether that is a `NoWeightsError`.
    """

    arm: str
    codebook_size: int
    seed: int
    run: Run | None
    unavailable: str | None = None
    point: Point = field(default_factory=dict)
    lacks_weights: bool = False


def without_run(cells: Iterable[Cell]) -> list[str]:
    """One sentence for each reason for which ``cells`` have no run, with their arms and codebook sizes."""
    reasons: dict[str, dict[str, dict[str, None]]] = {}
    for cell in cells:
        if cell.unavailable is not None:
            reasons.setdefault(cell.unavailable, {}).setdefault(cell.arm, {})[f"{cell.codebook_size:,}"] = None
    places = {
        reason: ", ".join(f"{arm} at K = {' and '.join(sizes)}" for arm, sizes in arms.items())
        for reason, arms in reasons.items()
    }
    return [f"unavailable: {places[reason]}: {reason}" for reason in reasons]


def check_any(suite: str, cells: Iterable[Cell]) -> None:
    """Raise a `UsageError` where none of the ``cells`` of a ``suite`` has a run."""
    cells = list(cells)
    if not any(cell.run for cell in cells):
        first, *others = without_run(cells)
        more = f", and {len(others):,} more reasons, which `plan` says" if others else ""
        raise UsageError(f"nothing of {suite} can be run; {first}{more}")
