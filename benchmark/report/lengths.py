"""Whether a training is long enough: the order of arms at each length against that at the next longer one."""

import itertools
from typing import Any, NamedTuple

from benchmark.report.columns import NO_VALUE, Column, column
from benchmark.report.grid import Grid
from benchmark.report.places import Axis, Place
from benchmark.report.statistics import Agreement, agreement

STEPS = "training.steps"
AGREES = 0.9
"""Kendall's τ from which on two orders are called the same."""
_METRICS = ("psnr", "squared_error", "mse", "validation_error")


class Neighbours(NamedTuple):
    """Two neighbouring lengths at one place of the other axes, of which ``heading`` says the values."""

    heading: str
    shorter: Place
    longer: Place
    steps: tuple[int, int]
    agreement: Agreement | None


def length_axis(grid: Grid) -> Axis | None:
    """The axis of training lengths; None where the plan has no two."""
    return next((axis for axis in grid.axes if axis.name == STEPS and len(axis.values) > 1), None)


def longest(grid: Grid) -> list[Place]:
    """The places of the longest training, all of them where the plan has no two lengths."""
    axis = length_axis(grid)
    if axis is None:
        return grid.places
    position = grid.axes.index(axis)
    steps = max(place.values[position] for place in grid.places)
    return [place for place in grid.places if place.values[position] == steps]


def after_longest(grid: Grid) -> str:
    """What is added to a sentence about the places of `longest`."""
    axis = length_axis(grid)
    return "" if axis is None else f", after {max(axis.values):,} steps"


def length_metric(grid: Grid) -> Column | None:
    """What arms are put in order by: the first of PSNR and the errors that was measured."""
    return next((column(name) for name in _METRICS if grid.results.has(name)), None)


def neighbours(grid: Grid) -> list[Neighbours]:
    """Every pair of neighbouring lengths at every place of the other axes; empty where there is one length."""
    axis, metric = length_axis(grid), length_metric(grid)
    if axis is None or metric is None:
        return []
    position = grid.axes.index(axis)
    others: dict[tuple[Any, ...], list[Place]] = {}
    for place in grid.places:
        others.setdefault(place.values[:position] + place.values[position + 1 :], []).append(place)
    found = []
    for places in others.values():
        ordered = sorted(places, key=lambda place: place.values[position])
        for shorter, longer in itertools.pairwise(ordered):
            tau = agreement(grid.by_seed(shorter, metric.name), grid.by_seed(longer, metric.name))
            steps = (int(shorter.values[position]), int(longer.values[position]))
            found.append(Neighbours(grid.title(shorter, without=axis), shorter, longer, steps, tau))
    return found


def length_note(grid: Grid) -> str | None:
    """From which length on each order of arms agrees with the next longer one's; None where there is one length."""
    metric = length_metric(grid)
    found: dict[tuple[int, int], list[Neighbours]] = {}
    for pair in neighbours(grid):
        found.setdefault(pair.steps, []).append(pair)
    if metric is None or not found:
        return None
    taus = "; ".join(
        f"{shorter:,} to {longer:,} steps {', '.join(map(_tau_at, pairs))}"
        for (shorter, longer), pairs in sorted(found.items())
    )
    return (
        f"Kendall's τ of the order of arms by {metric.label}, over the pairs beyond chance at the longer length: "
        f"{taus}. The shortest length from which on each order agrees with the next longer one's (τ ≥ {AGREES:g}): "
        f"{_verdict(found)}."
    )


def _verdict(found: dict[tuple[int, int], list[Neighbours]]) -> str:
    """From the longest pair down: an agreement of two short lengths says nothing where longer ones part again."""
    shortest = None
    for steps in sorted(found, reverse=True):
        if not all(map(_agrees, found[steps])):
            if shortest is None and all(_agrees(pair) or not _tested(pair) for pair in found[steps]):
                return "not known, since runs are missing"
            break
        shortest = steps[0]
    longest = max(longer for _, longer in found)
    return f"none, so {longest:,} steps, the longest" if shortest is None else f"{shortest:,} steps"


def _agrees(pair: Neighbours) -> bool:
    return pair.agreement is not None and pair.agreement.tau is not None and pair.agreement.tau >= AGREES


def _tested(pair: Neighbours) -> bool:
    """Whether enough was run to say; that no pair is beyond chance is then an answer, and no agreement."""
    return pair.agreement is not None and pair.agreement.seeds > 0


def _tau_at(pair: Neighbours) -> str:
    value = tau_text(pair.agreement.tau) if pair.agreement else NO_VALUE
    if pair.agreement and value == NO_VALUE:
        value = "no pair beyond chance" if _tested(pair) else "not tested"
    return f"{value} ({pair.heading})" if pair.heading else value


def tau_text(tau: float | None) -> str:
    """Two decimals, or a dash."""
    return NO_VALUE if tau is None else f"{tau:.2f}".replace("-", "−")
