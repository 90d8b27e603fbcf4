"""The comparison of the arms over all places and seeds: mean ranks, and paired differences from the best."""

from typing import Any

import pandas as pd

from benchmark.report.columns import NO_VALUE, Column
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.notes import mark_notes, tuning_note
from benchmark.report.quantities import distortion_columns
from benchmark.report.statistics import LEVEL, Comparison, Difference
from benchmark.report.table import Block, Cell, Table
from benchmark.report.tables.main import arm_cell


def comparison_table(results: Results, grid: Grid) -> Table | None:
    """One block a metric of distortion, arms from the best mean rank down; yardsticks are left out."""
    compared = [
        (column, comparison)
        for column in distortion_columns(results)
        if (comparison := grid.compare(column.name, column.direction, grid.places)) is not None
    ]
    if not compared:
        return None
    return Table(
        results.plan["suite"],
        "comparison",
        f"arms compared over {_blocks(grid)[0]} and seeds",
        ["Arm", "Mean rank", "Difference from best", "p (Holm)", "Seeds"],
        [_block(grid, column, comparison) for column, comparison in compared],
        pd.DataFrame([row for column, comparison in compared for row in _data(column, comparison)]),
        [
            f"A block is {_blocks(grid)[1]} and a seed; a seed gives every arm the same weights to start from and the "
            "same batches. Mean ranks (1 is best) are over the blocks that every arm has.",
            f"Difference from best: arm minus best, the mean over the {_blocks(grid)[2]} of a seed that both have; of "
            f"these the mean ± half-width of its {100 * LEVEL:.0f} % Student-t interval over seeds (their number is in "
            "the last column). p: paired t-test over seeds, Holm-corrected over the arms of a metric.",
            f"Bold: best beyond chance, every p < {1 - LEVEL:.2f}. "
            f"It is said of these {_blocks(grid)[2]} together, not of each.",
            *mark_notes(grid),
            tuning_note(results),
        ],
    )


def _block(grid: Grid, column: Column, comparison: Comparison) -> Block:
    heading = f"{column.heading} · {comparison.complete_blocks} blocks that every arm has"
    best = [
        arm_cell(grid, comparison.best, grid.places, []),
        Cell(_rank(comparison, comparison.best), bold=comparison.beyond_chance),
        Cell("best", bold=comparison.beyond_chance),
        Cell(""),
        Cell(""),
    ]
    others = [
        [
            arm_cell(grid, other.arm, grid.places, []),
            Cell(_rank(comparison, other.arm)),
            Cell(column.finer().text(other.difference, signed=True)),
            Cell(_p(other.p_holm)),
            Cell(str(other.difference.n if other.difference else 0)),
        ]
        for other in _sorted(comparison)
    ]
    return Block(heading, [best, *others])


def _sorted(comparison: Comparison) -> list[Difference]:
    def rank(difference: Difference) -> float:
        return comparison.mean_ranks.get(difference.arm, 0.0)

    return sorted(comparison.differences, key=rank)


def _rank(comparison: Comparison, arm: str) -> str:
    return f"{comparison.mean_ranks[arm]:.2f}" if arm in comparison.mean_ranks else NO_VALUE


def _p(p: float | None) -> str:
    if p is None:
        return NO_VALUE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _data(column: Column, comparison: Comparison) -> list[dict[str, Any]]:
    common = {"metric": column.name, "best": comparison.best, "complete_blocks": comparison.complete_blocks}
    rows = [{**common, "arm": comparison.best, "mean_rank": comparison.mean_ranks.get(comparison.best)}]
    for other in _sorted(comparison):
        interval = other.difference
        rows.append(
            {
                **common,
                "arm": other.arm,
                "mean_rank": comparison.mean_ranks.get(other.arm),
                "difference": interval.mean if interval else None,
                "half_width": interval.half_width if interval else None,
                "seeds": interval.n if interval else 0,
                "p_holm": other.p_holm,
            }
        )
    return rows


def _blocks(grid: Grid) -> tuple[str, str, str]:
    """What blocks are made of beside seeds: many, one, and in a word."""
    several = [axis.symbol for axis in grid.axes[1:] if len(axis.values) > 1]
    if not several:
        return "codebook sizes", "a codebook size", "sizes"
    names = ", ".join(["codebook size"] * (len(grid.sizes) > 1) + several)
    return f"places of the grid ({names})", f"a place of the grid ({names})", "places"
