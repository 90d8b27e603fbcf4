"""Tables as papers print them: arms by chosen metrics, published figures beside ours."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from benchmark.report.backbones import backbone_notes
from benchmark.report.columns import NO_VALUE, Column, column
from benchmark.report.declarations import PaperTable
from benchmark.report.grid import Grid
from benchmark.report.notes import best_note, interval_note, mark_notes, selection_note, settings_note, tuning_note
from benchmark.report.places import Place
from benchmark.report.priors import Priors
from benchmark.report.published import Figure, find
from benchmark.report.statistics import LEVEL, Interval
from benchmark.report.table import Block, Cell, Letters, Table
from benchmark.report.tables.main import arm_cell, best_arms, level_notes, place_heading

OUTSIDE = "*"


def paper_table(declaration: PaperTable, *grids: Grid) -> Table | None:
    """One block a place of the grid, of one suite after another; None where no run has any of the metrics."""
    columns = [_formatted(name, declaration) for name in declaration.columns]
    grids = tuple(grid for grid in grids if any(_has(grid, name) for name in declaration.columns))
    if not grids:
        return None
    footnotes = Letters()
    suites = [grid.results.plan["suite"] for grid in grids]
    return Table(
        suites[0] if len(grids) == 1 else "",
        declaration.name,
        declaration.title,
        ["Arm", *(heading for own in columns for heading in _headings(own, declaration))],
        [
            Block(place_heading(grid, place) if len(grids) == 1 else f"{suite} · {place_heading(grid, place)}", rows)
            for suite, grid in zip(suites, grids, strict=True)
            for place, rows in _blocks(declaration, grid, columns, footnotes)
        ],
        pd.DataFrame(
            {**({"suite": suite} if len(grids) > 1 else {}), **_data(declaration, grid, arm, place, own)}
            for suite, grid in zip(suites, grids, strict=True)
            for place in grid.places
            for arm in grid.arms
            for own in columns
            if grid.planned(arm, place)
        ),
        [*footnotes.notes(), *_of_all(suites, [_notes(declaration, grid, columns) for grid in grids])],
        _of_all(suites, [_background(grid) for grid in grids]),
    )


def _blocks(
    declaration: PaperTable, grid: Grid, columns: list[Column], footnotes: Letters
) -> Iterator[tuple[Place, list[list[Cell]]]]:
    """The places of a suite at which anything was measured, and their rows."""
    for place in grid.places:
        best = best_arms(grid, columns, [place])
        arms = [arm for arm in grid.arms if grid.planned(arm, place)]
        rows = [_row(declaration, grid, arm, place, columns, best, footnotes) for arm in arms]
        if not all(cell.text in ("", NO_VALUE) for row in rows for cell in row[1:]):
            yield place, rows


def _of_all(suites: list[str], notes: list[list[str]]) -> list[str]:
    """The notes of several suites: once what is said of all, else with the name of its suite."""
    common = [note for note in notes[0] if all(note in others for others in notes)]
    own = [f"{suite}: {note}" for suite, found in zip(suites, notes, strict=True) for note in found]
    return [*common, *(note for note in own if note.partition(": ")[2] not in common)]


def difference(own: Column, ours: float, theirs: float) -> str:
    """Ours less theirs: in points of a percentage, in percent of theirs otherwise."""
    if not own.percent and not theirs:
        return NO_VALUE
    value = round(100 * (ours - theirs if own.percent else ours / theirs - 1), 1) + 0.0  # no negative zero
    return f"{value:+.1f} {'pt' if own.percent else '%'}".replace("-", "−")


def is_outside(ours: Interval, theirs: float) -> bool:
    """Whether a single published run lies outside the interval in which a further run of ours is expected."""
    if ours.half_width is None:
        return False
    # From the interval of a mean of n to that of one more run: √(1/n) becomes √(1 + 1/n).
    return abs(theirs - ours.mean) > ours.half_width * math.sqrt(ours.n + 1)


def figure_of(declaration: PaperTable, grid: Grid, arm: str, place: Place, metric: str) -> Figure | None:
    """The published figure beside a cell."""
    if declaration.published is None:
        return None
    return find(declaration.published, arm, metric, grid.coordinates(place))


def _has(grid: Grid, metric: str) -> bool:
    return grid.results.has(metric) or metric in Priors(grid).named(metric)


def _interval(grid: Grid, arm: str, place: Place, metric: str) -> Interval | None:
    """Mean with its interval, of tokenizers or, where those don't have the metric, of their priors."""
    of_tokenizers = grid.results.has(metric)
    return grid.interval(arm, place, metric) if of_tokenizers else Priors(grid).interval(arm, place, metric)


def _formatted(name: str, declaration: PaperTable) -> Column:
    own = column(name)
    specification = declaration.formats.get(name)
    if specification is None:
        return own
    digits = specification.strip(",.%fd")
    return replace(own, decimals=int(digits) if digits else 0)


def _has_published(own: Column, declaration: PaperTable) -> bool:
    return declaration.published is not None and own.name in declaration.published.metrics


def _headings(own: Column, declaration: PaperTable) -> list[str]:
    published = ["published", "difference"] if _has_published(own, declaration) else []
    relative = [f"over `{declaration.relative_to}`"] if _is_relative(own, declaration) else []
    return [own.heading, *published, *relative]


def _is_relative(own: Column, declaration: PaperTable) -> bool:
    return declaration.relative_to is not None and own.direction != 0


def _row(
    declaration: PaperTable,
    grid: Grid,
    arm: str,
    place: Place,
    columns: list[Column],
    best: dict[str, str],
    footnotes: Letters,
) -> list[Cell]:
    explanation = grid.explanation(arm, place)
    cells = [arm_cell(grid, arm, [place], [footnotes.mark(explanation)] if explanation else [])]
    for own in columns:
        interval = _interval(grid, arm, place, own.name)
        cells.append(Cell(own.text(interval), bold=best.get(own.name) == arm))
        if _has_published(own, declaration):
            cells += _against_published(figure_of(declaration, grid, arm, place, own.name), interval, own)
        if _is_relative(own, declaration):
            reference = _interval(grid, str(declaration.relative_to), place, own.name)
            cells.append(Cell(_excess(reference, interval, own)))
    return cells


def _against_published(figure: Figure | None, interval: Interval | None, own: Column) -> list[Cell]:
    shown = Cell(own.number(figure.value) if figure else NO_VALUE)
    if figure is None or interval is None:
        return [shown, Cell(NO_VALUE)]
    marks = OUTSIDE if is_outside(interval, figure.value) else ""
    return [shown, Cell(difference(own, interval.mean, figure.value), marks=marks)]


def _excess(reference: Interval | None, interval: Interval | None, own: Column) -> str:
    if reference is None or interval is None:
        return NO_VALUE
    return difference(own, interval.mean, reference.mean)


def _data(declaration: PaperTable, grid: Grid, arm: str, place: Place, own: Column) -> dict[str, Any]:
    interval = _interval(grid, arm, place, own.name)
    row = grid.summary(arm, place, own.name, interval)
    if declaration.published is None:
        return row
    figure = figure_of(declaration, grid, arm, place, own.name)
    both = figure is not None and interval is not None and figure.value != 0
    return {
        **row,
        "published": figure.value if figure else None,
        "relative_error": interval.mean / figure.value - 1 if both and interval and figure else None,
        "outside": is_outside(interval, figure.value) if both and interval and figure else None,
        "source": figure.source if figure else None,
        "first_hand": figure.first_hand if figure else None,
    }


def _notes(declaration: PaperTable, grid: Grid, columns: list[Column]) -> list[str]:
    notes = [interval_note(grid), *best_note(grid, columns), *mark_notes(grid), *level_notes(grid)]
    notes += backbone_notes(grid, [own for own in columns if grid.results.has(own.name)])
    if declaration.published is not None:
        notes.append(
            f"Published: {declaration.published.paper}; sources in the CSV file. Difference: ours less published, in "
            "points of a percentage or in percent of the published value. "
            f"{OUTSIDE} outside the {100 * LEVEL:.0f} % prediction interval of a further run of ours (where n > 1)."
        )
    if declaration.relative_to is not None:
        notes.append(f"Over `{declaration.relative_to}`: mean over its mean, less one.")
    notes += [declaration.footnote] if declaration.footnote else []
    # That nothing was tuned is in the title of other tables.
    return [*notes, *selection_note(grid), *([tuning_note(grid.results)] if grid.results.is_untuned else [])]


def _background(grid: Grid) -> list[str]:
    tuned = [] if grid.results.is_untuned else [tuning_note(grid.results)]
    return [*tuned, *filter(None, [settings_note(grid)])]
