"""Compact tables: arms down, codebook sizes across."""

import pandas as pd

from benchmark.report.columns import NO_VALUE, Column
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.notes import best_note, interval_note, mark_notes, tuning_note
from benchmark.report.quantities import distortion_columns, named
from benchmark.report.table import Block, Cell, Footnotes, Table
from benchmark.report.tables.main import arm_cell, best_arms, level_notes


def usage_by_size(results: Results, grid: Grid) -> Table | None:
    """Usage and perplexity, side by side in each cell."""
    if len(grid.sizes) < 2 or not results.has("usage"):
        return None
    title = f"{results.plan['suite']}: usage in % / perplexity, by codebook size"
    return _table("usage_by_size", title, results, grid, [named("usage", "perplexity")(results)])


def distortion_by_size(results: Results, grid: Grid) -> Table | None:
    """A block a metric of distortion."""
    columns = distortion_columns(results)
    if len(grid.sizes) < 2 or not columns:
        return None
    title = f"{results.plan['suite']}: distortion by codebook size"
    return _table("distortion_by_size", title, results, grid, [[column] for column in columns])


def metrics_by_size(name: str, metrics: list[str], results: Results, grid: Grid) -> Table | None:
    """What a suite declares: a block a metric it names."""
    columns = named(*metrics)(results)
    if not columns:
        return None
    title = f"{results.plan['suite']}: {', '.join(column.label for column in columns)} by codebook size"
    return _table(name, title, results, grid, [[column] for column in columns])


def _table(name: str, title: str, results: Results, grid: Grid, groups: list[list[Column]]) -> Table:
    """One block a group of columns; the columns of a group share each cell, with a slash between."""
    footnotes = Footnotes()
    arms = [arm for arm in grid.arms if any(len(grid.ok(arm, size)) or grid.planned(arm, size) for size in grid.sizes)]
    blocks = []
    for group in groups:
        best = {size: best_arms(grid, group, [size]) for size in grid.sizes}
        rows = [
            [
                arm_cell(grid, arm, grid.sizes, []),
                *(_cell(grid, arm, size, group, footnotes, best) for size in grid.sizes),
            ]
            for arm in arms
        ]
        blocks.append(Block(" / ".join(column.heading for column in group) if len(groups) > 1 else "", rows))
    columns = [column for group in groups for column in group]
    notes = [*footnotes.notes(), interval_note(grid), *best_note(grid, columns), *mark_notes(grid), *level_notes(grid)]
    data = pd.DataFrame(
        {
            "arm": arm,
            "codebook_size": size,
            "metric": column.name,
            "mean": interval.mean if (interval := grid.interval(arm, size, column.name)) else None,
            "half_width": interval.half_width if interval else None,
            "n": interval.n if interval else 0,
        }
        for column in columns
        for arm in arms
        for size in grid.sizes
    )
    headings = ["Arm", *(f"K = {size:,}" for size in grid.sizes)]
    return Table(name, title, headings, blocks, data, [*notes, tuning_note(results)])


def _cell(
    grid: Grid,
    arm: str,
    size: int,
    group: list[Column],
    footnotes: Footnotes,
    best: dict[int, dict[str, str]],
) -> Cell:
    if not grid.planned(arm, size):
        return Cell("")
    explanation = grid.explanation(arm, size)
    marks = footnotes.mark(explanation) if explanation else ""
    state = grid.state(arm, size)
    if state is not None:
        return Cell(state, marks=marks)
    intervals = [grid.interval(arm, size, column.name) for column in group]
    if not any(intervals):
        return Cell(NO_VALUE, marks=marks)
    text = " / ".join(column.text(interval) for column, interval in zip(group, intervals, strict=True))
    return Cell(text, bold=len(group) == 1 and best[size].get(group[0].name) == arm, marks=marks)
