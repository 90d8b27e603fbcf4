"""Whether a shorter training puts the arms in the order of a longer one: Kendall's tau between neighbouring lengths."""

from typing import Any

import pandas as pd

from benchmark.report.columns import NO_VALUE
from benchmark.report.grid import Grid
from benchmark.report.lengths import STEPS, Neighbours, length_metric, length_note, neighbours, tau_text
from benchmark.report.notes import mark_notes, selection_note, tuning_note
from benchmark.report.statistics import LEVEL
from benchmark.report.table import Block, Cell, Table


def length_agreement_table(grid: Grid) -> Table | None:
    """One block a place of the other axes, a row two neighbouring lengths; None where the plan has one length."""
    metric, pairs = length_metric(grid), neighbours(grid)
    if metric is None or not pairs:
        return None
    blocks: dict[str, list[list[Cell]]] = {}
    for pair in pairs:
        blocks.setdefault(pair.heading, []).append(_row(pair))
    return Table(
        grid.results.plan["suite"],
        "length_agreement",
        f"does the order of arms by {metric.label} after a shorter training agree with that after a longer one?",
        ["Steps", "τ beyond chance", "Pairs beyond chance", "τ of all pairs", "Pairs", "Seeds"],
        [Block(heading, rows) for heading, rows in blocks.items()],
        pd.DataFrame(_data(grid, metric.name, pair) for pair in pairs),
        [
            "Kendall's τ: pairs of arms in the same order at both lengths less those in the other order, over their "
            f"number; the order is that of the means of {metric.label} over seeds. Beyond chance: pairs that differ "
            f"at the longer length with p < {1 - LEVEL:.2f} (moderated paired t over seeds, Holm-corrected over all "
            "pairs).",
            *filter(None, [length_note(grid)]),
            *mark_notes(grid),
            *selection_note(grid),
        ],
        [tuning_note(grid.results)],
    )


def _row(pair: Neighbours) -> list[Cell]:
    name = f"{pair.steps[0]:,} to {pair.steps[1]:,}"
    found = pair.agreement
    if found is None:
        return [Cell(name), *(Cell(NO_VALUE) for _ in range(5))]
    counts = [found.beyond_chance if found.seeds else None, found.pairs, found.seeds or None]
    tested, number, seeds = (NO_VALUE if count is None else f"{count:,}" for count in counts)
    return [Cell(text) for text in (name, tau_text(found.tau), tested, tau_text(found.tau_all), number, seeds)]


def _data(grid: Grid, metric: str, pair: Neighbours) -> dict[str, Any]:
    found = pair.agreement
    others = {name: value for name, value in grid.coordinates(pair.shorter).items() if name != STEPS}
    return {
        **others,
        "metric": metric,
        "shorter": pair.steps[0],
        "longer": pair.steps[1],
        "tau": found.tau if found else None,
        "pairs_beyond_chance": found.beyond_chance if found else None,
        "tau_all": found.tau_all if found else None,
        "pairs": found.pairs if found else None,
        "seeds": found.seeds if found else None,
    }
