"""Compact tables: arms down; codebook sizes, or another axis of the grid, across."""

import pandas as pd

from benchmark.report.backbones import backbone_notes
from benchmark.report.columns import NO_VALUE, Column
from benchmark.report.grid import Grid
from benchmark.report.lengths import length_note
from benchmark.report.notes import (
    best_note,
    definition_note,
    interval_note,
    mark_notes,
    selection_note,
    titled,
    tuning_note,
)
from benchmark.report.places import Place
from benchmark.report.quantities import TRAINING_USAGE, USAGE, distortion_columns, grouped, named
from benchmark.report.table import Block, Cell, Letters, Table
from benchmark.report.tables.main import arm_cell, best_arms, level_notes


def usage_by_size(grid: Grid) -> Table | None:
    """Usage and perplexity, side by side in each cell; where it was measured, usage on the training set below."""
    usage = grouped(USAGE)(grid.results)
    if len(grid.x.values) < 2 or not usage:
        return None
    title = f"usage in % / perplexity, by {grid.x.words}"
    groups = [group for group in (usage, grouped(TRAINING_USAGE)(grid.results)) if group]
    return _table("usage_by_size", title, grid, groups)


def distortion_by_size(grid: Grid) -> Table | None:
    """A block a metric of distortion."""
    columns = distortion_columns(grid.results)
    if len(grid.x.values) < 2 or not columns:
        return None
    title = f"distortion by {grid.x.words}"
    return _table("distortion_by_size", title, grid, [[column] for column in columns])


def metrics_by_size(name: str, metrics: list[str], grid: Grid) -> Table | None:
    """What a suite declares: a block a metric it names."""
    columns = named(*metrics)(grid.results)
    if not columns:
        return None
    title = f"{', '.join(column.label for column in columns)} by {grid.x.words}"
    return _table(name, title, grid, [[column] for column in columns])


def _table(name: str, title: str, grid: Grid, groups: list[list[Column]]) -> Table:
    """One block a group of columns and line of places; the columns of a group share each cell, with a slash between."""
    footnotes = Letters()
    lines = grid.lines()
    blocks = [
        Block(_heading(group if len(groups) > 1 else [], line), _rows(grid, places, group, footnotes))
        for group in groups
        for line, places in lines
    ]
    columns = [column for group in groups for column in group]
    notes = [*footnotes.notes(), interval_note(grid), *best_note(grid, columns), *mark_notes(grid), *level_notes(grid)]
    headings = ["Arm", *(grid.x.at(value) for value in grid.x.values)]
    in_training = [column for column in grouped(TRAINING_USAGE)(grid.results) if column in columns]
    notes += backbone_notes(grid, columns)
    background = [definition_note(in_training)] if in_training else []
    background += [*filter(None, [length_note(grid)]), tuning_note(grid.results)]
    return Table(
        grid.results.plan["suite"],
        name,
        titled(grid.results, title),
        headings,
        blocks,
        _data(grid, columns),
        [*notes, *selection_note(grid)],
        background,
    )


def _heading(group: list[Column], line: str) -> str:
    return " · ".join(filter(None, [" / ".join(column.heading for column in group), line]))


def _rows(grid: Grid, places: list[Place], group: list[Column], footnotes: Letters) -> list[list[Cell]]:
    best = {place: best_arms(grid, group, [place]) for place in places}
    at = {grid.coordinate(place): place for place in places}
    arms = [arm for arm in grid.arms if any(grid.planned(arm, place) for place in places)]
    return [
        [
            arm_cell(grid, arm, places, []),
            *(_cell(grid, arm, at.get(value), group, footnotes, best) for value in grid.x.values),
        ]
        for arm in arms
    ]


def _cell(
    grid: Grid,
    arm: str,
    place: Place | None,
    group: list[Column],
    footnotes: Letters,
    best: dict[Place, dict[str, str]],
) -> Cell:
    if place is None or not grid.planned(arm, place):
        return Cell("")
    explanation = grid.explanation(arm, place)
    marks = footnotes.mark(explanation) if explanation else ""
    state = grid.state(arm, place)
    if state is not None:
        return Cell(state, marks=marks)
    intervals = [grid.interval(arm, place, column.name) for column in group]
    if not any(intervals):
        return Cell(NO_VALUE, marks=marks)
    text = " / ".join(column.text(interval) for column, interval in zip(group, intervals, strict=True))
    return Cell(text, bold=len(group) == 1 and best[place].get(group[0].name) == arm, marks=marks)


def _data(grid: Grid, columns: list[Column]) -> pd.DataFrame:
    return pd.DataFrame(
        grid.summary(arm, place, column.name, grid.interval(arm, place, column.name))
        for column in columns
        for arm in grid.arms
        for place in grid.places
        if grid.planned(arm, place)
    )
