"""The comparison of the arms over all places and seeds: mean ranks, and differences from the arm validation chooses."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from benchmark.report.backbones import backbone_notes
from benchmark.report.columns import NO_VALUE, Column
from benchmark.report.grid import Grid
from benchmark.report.lengths import STEPS, after_longest, longest
from benchmark.report.notes import mark_notes, selection_note, tuning_note
from benchmark.report.places import Place
from benchmark.report.quantities import USAGE, distortion_columns, grouped
from benchmark.report.statistics import LEVEL, Comparison, Difference
from benchmark.report.table import Block, Cell, Table
from benchmark.report.tables.main import arm_cell

Compared = list[tuple[Column, Comparison]]


def comparison_table(grid: Grid) -> Table | None:
    """One block a metric of distortion, arms from the best mean rank down, then usage and perplexity by difference.

    None for untuned arms, which are not ranked. Yardsticks are left out. Of several lengths of training the longest
    alone counts: how fast an arm learns is another question (`length_agreement`).
    """
    places = longest(grid)
    columns = [*distortion_columns(grid.results), *grouped(USAGE)(grid.results)]
    compared = [
        (column, comparison)
        for column in columns
        if (comparison := grid.compare(column.name, column.direction, places)) is not None
    ]
    if not compared:
        return None
    against = list(dict.fromkeys(comparison.against for _, comparison in compared))
    blocks = _blocks(grid)
    averaged = f", averaged over the {blocks.several}" if blocks.several else ""
    return Table(
        grid.results.plan["suite"],
        "comparison",
        f"arms compared over {blocks.over}{after_longest(grid)}",
        ["Arm", "Mean rank", f"Difference from {_first(against)}", "p (Holm)"],
        [_block(grid, places, column, comparison) for column, comparison in compared],
        pd.DataFrame([row for column, comparison in compared for row in _data(column, comparison)]),
        [
            f"A block is {blocks.one}; a seed gives every arm the same weights to start from and the same batches. "
            "Only blocks that every arm has are compared.",
            *_missing(grid, places, compared),
            *_choice(compared),
            f"Difference: arm minus {_first(against)}{averaged} of a seed; of these the mean ± half-width of its "
            f"{100 * LEVEL:.0f} % interval over seeds, uncorrected. Interval and p: moderated paired t (Smyth 2004), "
            "in which the pairs of arms share what is known of the variance; p is Holm-corrected over all pairs of "
            "arms of a metric, since the same runs choose the arm compared with.",
            *_bold(grid, compared),
            *backbone_notes(grid, [column for column, _ in compared]),
            *mark_notes(grid),
            *selection_note(grid),
        ],
        [tuning_note(grid.results)],
    )


def _first(against: list[str]) -> str:
    return f"`{against[0]}`" if len(against) == 1 else "the first arm"


def _missing(grid: Grid, places: list[Place], compared: Compared) -> list[str]:
    """Which arms take blocks from the comparison, and why there is no test."""
    found: dict[str, list[str]] = {}
    for column, comparison in compared:
        lacking = grid.lacking(column.name, places)
        parts = []
        if lacking:
            parts.append(
                "blocks are missing for every arm because "
                + ", ".join(f"`{arm}` lacks {count}" for arm, count in lacking.items())
            )
        if comparison.left_out:
            parts.append(
                f"{comparison.left_out} more are left out, of seeds that lack {_blocks(grid).several} which others have"
            )
        if comparison.seeds < 2:
            parts.append("one seed is left, so nothing is tested")
        if parts:
            found.setdefault("; ".join(parts), []).append(column.label)
    everywhere = sum(map(len, found.values())) == len(compared) and len(found) == 1
    return [f"{'Every metric' if everywhere else ', '.join(labels)}: {sentence}." for sentence, labels in found.items()]


def _choice(compared: Compared) -> list[str]:
    """By what the arm to compare with was chosen."""
    by_itself = [column.label for column, comparison in compared if not comparison.on_validation]
    rule = "the lowest mean rank over these blocks"
    notes = []
    if len(by_itself) < len(compared):
        notes.append(f"The arm compared with stands first: it has {rule} by validation error, which is no column here.")
    if by_itself:
        notes.append(
            f"Chosen by the metric itself, {rule}, since validation errors are missing: {', '.join(by_itself)}."
        )
    return notes


def _bold(grid: Grid, compared: Compared) -> list[str]:
    if not any(column.direction and comparison.seeds > 1 for column, comparison in compared):
        return []
    several = _blocks(grid).several
    together = f" It is said of these {several} together, not of each." if several else ""
    return [
        f"Bold: best beyond chance, better than every other arm with p < {1 - LEVEL:.2f}; usage and perplexity are "
        f"never marked.{together}"
    ]


def _block(grid: Grid, places: list[Place], column: Column, comparison: Comparison) -> Block:
    heading = f"{column.heading} · {_count(comparison.blocks, 'block')}, {_count(comparison.seeds, 'seed')}"
    first = [
        arm_cell(grid, comparison.against, places, []),
        Cell(_rank(comparison, comparison.against), bold=comparison.beyond_chance),
        Cell("best" if comparison.beyond_chance else "", bold=comparison.beyond_chance),
        Cell(""),
    ]
    others = [
        [
            arm_cell(grid, other.arm, places, []),
            Cell(_rank(comparison, other.arm)),
            Cell(column.finer().text(other.difference, signed=True)),
            Cell(_p(other.p_holm)),
        ]
        for other in _sorted(comparison)
    ]
    return Block(heading, [first, *others])


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _sorted(comparison: Comparison) -> list[Difference]:
    """By mean rank; the largest difference first where there is none."""
    return sorted(
        comparison.differences, key=lambda other: comparison.mean_ranks.get(other.arm, -other.difference.mean)
    )


def _rank(comparison: Comparison, arm: str) -> str:
    return f"{comparison.mean_ranks[arm]:.2f}" if arm in comparison.mean_ranks else NO_VALUE


def _p(p: float | None) -> str:
    if p is None:
        return NO_VALUE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _data(column: Column, comparison: Comparison) -> list[dict[str, Any]]:
    common = {
        "metric": column.name,
        "against": comparison.against,
        "chosen_on": "validation_error" if comparison.on_validation else column.name,
        "blocks": comparison.blocks,
        "seeds": comparison.seeds,
        "prior_df": comparison.prior_df,
    }
    rows = [{**common, "arm": comparison.against, "mean_rank": comparison.mean_ranks.get(comparison.against)}]
    for other in _sorted(comparison):
        rows.append(
            {
                **common,
                "arm": other.arm,
                "mean_rank": comparison.mean_ranks.get(other.arm),
                "difference": other.difference.mean,
                "half_width": other.difference.half_width,
                "p": other.p,
                "p_holm": other.p_holm,
            }
        )
    return rows


@dataclass(frozen=True)
class _Blocks:
    """In words: what is compared ``over``, what ``one`` block is, and what a seed has ``several`` of, if it has."""

    over: str
    one: str
    several: str


def _blocks(grid: Grid) -> _Blocks:
    others = [axis.symbol for axis in grid.axes[1:] if len(axis.values) > 1 and axis.name != STEPS]
    if others:
        names = ", ".join(["codebook size"] * (len(grid.sizes) > 1) + others)
        return _Blocks(f"places of the grid ({names}) and seeds", f"a place of the grid ({names}) and a seed", "places")
    if len(grid.sizes) > 1:
        return _Blocks("codebook sizes and seeds", "a codebook size and a seed", "sizes")
    return _Blocks(f"seeds, {grid.axes[0].at(grid.sizes[0])}", "a seed", "")
