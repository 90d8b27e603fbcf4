"""The main table: every arm at every place, usage beside perplexity, quality beside price."""

from collections.abc import Sequence

import pandas as pd

from benchmark.report.backbones import backbone_notes
from benchmark.report.columns import Column
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.lengths import length_note
from benchmark.report.listed import Listed, level_columns, rate_columns
from benchmark.report.notes import (
    arm_marks,
    best_note,
    credits_note,
    definition_note,
    interval_note,
    left_out_note,
    machine_note,
    mark_notes,
    measurement_notes,
    progress_note,
    protocol_note,
    selection_note,
    settings_note,
    titled,
    tuning_note,
)
from benchmark.report.places import Place
from benchmark.report.progress import GAIN
from benchmark.report.quantities import code_columns, quality_columns, summary_only
from benchmark.report.table import Block, Cell, Letters, Table

Shown = Column | Listed


def main_table(grid: Grid) -> Table | None:
    """One block a place, one row an arm; yardsticks without a size in blocks of their own."""
    results = grid.results
    codes, quality = code_columns(results), quality_columns(results)
    columns: list[Shown] = [*codes, *level_columns(grid), *quality, *rate_columns(grid)]
    measured = [*codes, *quality]
    footnotes = Letters()
    sized = [arm for arm in grid.arms if arm not in grid.size_free]
    blocks = []
    for place in grid.places:
        best = best_arms(grid, measured, [place])
        arms = [arm for arm in sized if grid.planned(arm, place)]
        rows = [_row(grid, arm, place, columns, footnotes, best) for arm in arms]
        blocks.append(Block(place_heading(grid, place), rows))
    blocks += _size_free_blocks(grid, columns, footnotes)
    return Table(
        results.plan["suite"],
        "main",
        titled(results, results.plan["question"]),
        ["Arm", *(column.heading for column in columns), "n"],
        [block for block in blocks if block.rows],
        _data(grid, columns),
        [*footnotes.notes(), interval_note(grid), *best_note(grid, measured), *arm_notes(grid, measured)],
        [*terms(grid), definition_note(columns), *measured_how(results, left_out_note(summary_only(results)))],
    )


def arm_notes(grid: Grid, measured: list[Column]) -> list[str]:
    """Marks and levels of arms, what hangs on a network of features, and which arms are left out."""
    return [*mark_notes(grid), *level_notes(grid), *backbone_notes(grid, measured), *selection_note(grid)]


def terms(grid: Grid) -> list[str]:
    """On what terms the arms met: length, tuning, settings, protocol."""
    results = grid.results
    first = [progress_note()] if results.has(GAIN) else []
    found = [length_note(grid), tuning_note(results), settings_note(grid), protocol_note(results)]
    return [*first, *filter(None, found)]


def measured_how(results: Results, left_out: Sequence[str] = ()) -> list[str]:
    """With which networks, what is ``left_out``, whose pictures are shown, and on which machines."""
    return [*measurement_notes(results), *left_out, *credits_note(results), *filter(None, [machine_note(results)])]


def _size_free_blocks(grid: Grid, columns: list[Shown], footnotes: Letters) -> list[Block]:
    blocks: dict[str, list[list[Cell]]] = {}
    for arm in grid.size_free:
        for place in grid.size_free_places(arm):
            others = grid.title(place, without=grid.axes[0])
            heading = " · ".join(filter(None, ["Any codebook size", others]))
            blocks.setdefault(heading, []).append(_row(grid, arm, place, columns, footnotes, {}))
    return [Block(heading, rows) for heading, rows in blocks.items()]


def place_heading(grid: Grid, place: Place) -> str:
    """The place with the numbers of tokens counted and the usage that a uniform source would reach with them."""
    tokens, photographs, ceiling, in_training, ceiling_in_training = (
        grid.shared(place, name) for name in ("tokens", "photographs", "ceiling", "tokens_train", "ceiling_train")
    )
    parts = [f"Codebook size {place.size:,}", *filter(None, [grid.title(place, without=grid.axes[0])])]
    of = "" if photographs is None else f" of {photographs:,.0f} photographs"
    parts += [] if tokens is None else [f"N = {tokens:,.0f} test tokens{of}"]
    parts += [] if ceiling is None else [f"usage ceiling {100 * ceiling:.1f} %"]
    if in_training is not None and ceiling_in_training is not None:
        parts.append(f"N = {in_training:,.0f} training tokens, ceiling {100 * ceiling_in_training:.1f} %")
    return " · ".join(parts)


def arm_cell(grid: Grid, arm: str, places: list[Place], letters: list[str]) -> Cell:
    """The name of an arm with its marks; a yardstick says that it is one."""
    name = f"reference: `{arm}`" if grid.results.is_reference(arm) else f"`{arm}`"
    return Cell(name, marks=",".join([*arm_marks(grid, arm, places), *letters]))


def best_arms(grid: Grid, columns: list[Column], places: list[Place]) -> dict[str, str]:
    """For each metric with a direction, the arm that is best over ``places`` beyond chance, if one is."""
    best = {}
    for column in columns:
        comparison = grid.compare(column.name, column.direction, places) if column.direction else None
        if comparison is not None and comparison.beyond_chance:
            best[column.name] = comparison.against
    return best


def level_notes(grid: Grid) -> list[str]:
    """Arms whose sizes are products of levels, with the levels they have."""
    runs = grid.results.ok
    runs = runs[runs["level_sizes"].str.contains("x", na=False)]
    notes = []
    for arm, cells in runs.groupby("arm", sort=False):
        pairs = cells[["codebook_size", "level_sizes"]].drop_duplicates().sort_values("codebook_size")
        sizes = ", ".join(f"{size:,} = {levels.replace('x', ' × ')}" for size, levels in pairs.itertuples(index=False))
        notes.append(f"Levels of `{arm}`: {sizes}; usage and perplexity are of the joint codes.")
    return notes


def _row(
    grid: Grid, arm: str, place: Place, columns: list[Shown], footnotes: Letters, best: dict[str, str]
) -> list[Cell]:
    explanation = grid.explanation(arm, place)
    name = arm_cell(grid, arm, [place], [footnotes.mark(explanation)] if explanation else [])
    state = grid.state(arm, place)
    if state is not None:
        return [name, Cell(state), *(_without_run(grid, arm, place, column) for column in columns[1:]), Cell("0")]
    cells = [_cell(grid, arm, place, column, best) for column in columns]
    return [name, *cells, Cell(str(len(grid.ok(arm, place))))]


def _cell(grid: Grid, arm: str, place: Place, column: Shown, best: dict[str, str]) -> Cell:
    if isinstance(column, Listed):
        return Cell(column.text(grid, arm, place))
    return Cell(column.text(grid.interval(arm, place, column.name)), bold=best.get(column.name) == arm)


def _without_run(grid: Grid, arm: str, place: Place, column: Shown) -> Cell:
    """What is known where no run ended well: the settings of those that did not."""
    if isinstance(column, Listed) and column.values(grid, arm, place):
        return Cell(column.text(grid, arm, place))
    return Cell("")


def _data(grid: Grid, columns: list[Shown]) -> pd.DataFrame:
    rows = []
    for place in grid.places:
        for arm in (arm for arm in grid.arms if grid.planned(arm, place)):
            row: dict[str, object] = {
                "arm": arm,
                "method": grid.results.arm(arm)["method"],
                **grid.coordinates(place),
                "n": len(grid.ok(arm, place)),
                "missing": grid.explanation(arm, place),
            }
            for column in columns:
                if isinstance(column, Listed):
                    row[column.name] = column.plain(grid, arm, place)
                    continue
                interval = grid.interval(arm, place, column.name)
                row[column.name] = interval.mean if interval else None
                row[f"{column.name}_half_width"] = interval.half_width if interval else None
            rows.append(row)
    return pd.DataFrame(rows)
