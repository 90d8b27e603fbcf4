"""What two priors say of the same tokenizers side by side, and whether the order of arms hangs on the prior."""

from typing import NamedTuple

import pandas as pd

from benchmark.report.columns import Column, column
from benchmark.report.grid import Grid
from benchmark.report.notes import definition_note
from benchmark.report.orders import means_note, order_note
from benchmark.report.places import Place
from benchmark.report.priors import Priors
from benchmark.report.statistics import LEVEL, Interval, contradictions, t_interval
from benchmark.report.table import Block, Cell, Table
from benchmark.report.tables.generation import measured_with, named, trained_how

COMPARED = ("code_length", "nll", "samples_fd")
PART = "nll"
"""Puts no arms in order: it is a part of the code length."""

Both = tuple[Priors, Priors]


class _Row(NamedTuple):
    """An arm at a place: over ``n`` tokenizers with both priors, each column by the first prior and by the second."""

    arm: str
    n: int
    intervals: list[Interval | None]


def generation_priors_table(grid: Grid) -> Table | None:
    """Code length, NLL and distance of samples by both priors, and whether arms stand alike; None where one is."""
    both = Priors(grid), Priors(grid, second=True)
    shared = [name for name in both[0].named(*COMPARED) if name in both[1].named(*COMPARED)] if all(both) else []
    columns = [column(name) for name in shared]
    rows = {place: found for place in both[0].places if (found := _rows(both, place, columns))}
    if not columns or not rows:
        return None
    names = _names(both)
    return Table(
        grid.results.plan["suite"],
        "generation_priors",
        f"{grid.results.plan['question']} – and does the answer hang on the prior?",
        ["Arm", *(f"{shown.heading}, {name}" for shown in columns for name in names), "n"],
        [Block(grid.title(place), [_cells(row, columns) for row in found]) for place, found in rows.items()],
        pd.DataFrame([_numbers(grid, place, row, columns) for place, found in rows.items() for row in found]),
        [*_reading(both, rows), *_orders(both, columns), *_measured(both, names)],
        [*(f"{name}: {trained_how(own)}" for name, own in zip(names, both, strict=True)), definition_note(columns)],
    )


def _names(both: Both) -> tuple[str, str]:
    """Of the two priors; which is which where they bear the same."""
    first, second = (str(priors.settings.get("prior", {}).get("name", "")) for priors in both)
    return (first, second) if first != second else ("first", "second")


def _rows(both: Both, place: Place, columns: list[Column]) -> list[_Row]:
    rows = []
    for arm in both[0].grid.arms:
        first, second = (priors.at(arm, place).set_index("seed") for priors in both)
        seeds = first.index.intersection(second.index)
        if len(seeds):
            values = (own.loc[seeds, shown.name] for shown in columns for own in (first, second))
            rows.append(_Row(arm, len(seeds), [t_interval(found.to_numpy(dtype=float)) for found in values]))
    return rows


def _cells(row: _Row, columns: list[Column]) -> list[Cell]:
    twice = (shown for shown in columns for _ in range(2))
    numbers = [Cell(shown.text(interval)) for shown, interval in zip(twice, row.intervals, strict=True)]
    return [Cell(f"`{row.arm}`"), *numbers, Cell(str(row.n))]


def _numbers(grid: Grid, place: Place, row: _Row, columns: list[Column]) -> dict[str, object]:
    found: dict[str, object] = {"arm": row.arm, **grid.coordinates(place), "n": row.n}
    names = (f"{shown.name}_{which}" for shown in columns for which in ("first", "second"))
    for name, interval in zip(names, row.intervals, strict=True):
        found[name] = interval.mean if interval else None
        found[f"{name}_half_width"] = interval.half_width if interval else None
    return found


def _reading(both: Both, rows: dict[Place, list[_Row]]) -> list[str]:
    several = any(row.n > 1 for found in rows.values() for row in found)
    over = f"mean ± half-width of the {100 * LEVEL:.0f} % Student-t interval over n tokenizers, each of which has both"
    notes = [
        f"Two priors on the same tokenizers: {named(both[0])}; and {named(both[1])}; "
        f"{over if several else 'one tokenizer a cell (n = 1), no interval'}. The first is that of all other tables."
    ]
    if "guidance" in both[0].settings:
        dropped = 100 * both[0].settings["guidance"]["dropped"]
        notes.append(
            f"The first was not told the class of {dropped:.0f} % of its training items, so that it can be guided, the "
            "second of none; the samples here are of both without guidance."
        )
    return notes


def _orders(both: Both, columns: list[Column]) -> list[str]:
    """Of the code length and of the distance: whether arms stand alike, and which pairs don't."""
    notes = []
    for shown in columns:
        found = {
            both[0].grid.title(place): result
            for place in both[0].places
            if (result := contradictions(*(priors.by_seed(place, shown.name) for priors in both))) is not None
        }
        if found and shown.name != PART:
            notes.append(f"{order_note(f'{shown.label} by the two priors', 'prior', found)} {means_note(found)}")
    return notes


def _measured(both: Both, names: tuple[str, str]) -> list[str]:
    """By which networks samples were measured, said once where it is the same of both priors."""
    first, second = (measured_with(priors) for priors in both)
    if first == second:
        return first
    return [f"{name}: {note}" for name, notes in zip(names, (first, second), strict=True) for note in notes]
