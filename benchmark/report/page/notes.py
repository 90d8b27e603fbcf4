"""The notes of a page: those of the main table, without what speaks of that table alone."""

from benchmark.report.grid import Grid
from benchmark.report.notes import best_note, definition_note, interval_note
from benchmark.report.quantities import code_columns, quality_columns
from benchmark.report.statistics import LEVEL
from benchmark.report.tables.main import arm_notes, measured_how, terms

_BEYOND_CHANCE = (
    "Beyond chance: moderated paired t-test over seeds, Holm-corrected over all pairs of arms, "
    f"p < {1 - LEVEL:.2f}; usage is tested but names no best arm."
)


def page_notes(grid: Grid) -> list[str]:
    """How to read the numbers, and on what terms the arms met; nothing where no run ended well."""
    if not len(grid.results.ok):
        return []
    measured = [*code_columns(grid.results), *quality_columns(grid.results)]
    tested = [_BEYOND_CHANCE] if best_note(grid, measured) else []
    reading = [interval_note(grid), *tested, *arm_notes(grid, measured)]
    return [*reading, *terms(grid), definition_note(measured, of="Metrics"), *measured_how(grid.results)]
