"""Published figures beside ours, from the suite's paper tables."""

from typing import Any

from benchmark.report.columns import column
from benchmark.report.declarations import PaperTable, tables_of
from benchmark.report.grid import Grid
from benchmark.report.tables import TABLES
from benchmark.report.tables.paper import difference, figure_of, is_outside


def published_rows(grid: Grid, places: dict[Any, int]) -> list[dict[str, Any]]:
    """A table each: ``title``, ``paper``, ``footnote``, and rows of place, arm, metric, theirs, the difference in
    words, whether it is outside what a further run of ours is expected in, and the source."""
    found = []
    for table in tables_of(grid.results.plan["tables"], TABLES):
        if isinstance(table, PaperTable) and table.published is not None:
            rows = [row for place, at in places.items() for row in _at(table, grid, place, at)]
            if rows:
                texts = {"title": table.title, "paper": table.published.paper, "footnote": table.footnote}
                found.append({**texts, "rows": rows})
    return found


def _at(table: PaperTable, grid: Grid, place: Any, number: int) -> list[list[Any]]:
    rows = []
    for arm in (arm for arm in grid.arms if grid.planned(arm, place)):
        for name in table.columns:
            figure = figure_of(table, grid, arm, place, name)
            if figure is None:
                continue
            ours = grid.interval(arm, place, name)
            apart = difference(column(name), ours.mean, figure.value) if ours else None
            outside = is_outside(ours, figure.value) if ours else None
            rows.append([number, grid.arms.index(arm), name, figure.value, apart, outside, figure.source])
    return rows
