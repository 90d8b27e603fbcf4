"""What a table or a plot that somebody asked for has nothing to show of, and why."""

from collections.abc import Sequence

from benchmark.report.build import Grids
from benchmark.report.declarations import (
    PaperTable,
    PlotDeclaration,
    PlotOf,
    PlotOfTable,
    TableDeclaration,
    TableOf,
)
from benchmark.report.quantities import measured


def why_nothing(shown: TableDeclaration | PlotDeclaration, tables: Sequence[TableDeclaration], *grids: Grids) -> str:
    """One sentence about what is ``shown`` of nothing in ``grids``; ``tables``: those that are declared beside it."""
    assert not isinstance(shown, str)
    kind = "table" if isinstance(shown, TableDeclaration) else "plot"
    suites, there = _measured(shown, grids)
    asked = _metrics(shown, tables)
    begin = f"{kind} `{shown.name}` was not made: "
    if not there:
        return f"{begin}no run of {suites} that it shows has ended well"
    if asked and not set(asked) & set(there):
        return f"{begin}no run of {suites} has measured {_listed(asked)}; there are: {', '.join(there)}"
    name = shown.of if isinstance(shown, TableOf | PlotOf) else "plot_of_table"
    return f"{begin}{suites} has not what it needs; `python -m benchmark show {name}` says what it shows"


def why_empty(table: TableDeclaration, *grids: Grids) -> str | None:
    """One sentence about the columns of a ``table`` without any figure, measured or published; None: it has none."""
    if not isinstance(table, PaperTable):
        return None
    suites, there = _measured(table, grids)
    published = table.published.metrics if table.published else {}
    empty = [metric for metric in table.columns if metric not in there and metric not in published]
    return (
        f"table `{table.name}` has empty columns: no run of {suites} has measured {_listed(empty)}" if empty else None
    )


def _measured(shown: TableDeclaration | PlotDeclaration, grids: Sequence[Grids]) -> tuple[str, list[str]]:
    """The suites of ``grids``, in words, and what was measured in what is ``shown`` of them."""
    own = [grid.shown_by(shown).results for grid in grids]
    names = dict.fromkeys(name for results in own for name in measured(results))
    return " or ".join(f"`{results.plan['suite']}`" for results in own), list(names)


def _metrics(shown: TableDeclaration | PlotDeclaration, tables: Sequence[TableDeclaration]) -> list[str]:
    """Those that somebody named; none of what chooses its own."""
    if isinstance(shown, PlotOfTable):
        [shown] = [table for table in tables if isinstance(table, PaperTable) and table.name == shown.table]
    return getattr(shown, "columns", None) or getattr(shown, "metrics", [])


def _listed(metrics: Sequence[str]) -> str:
    return " or ".join(f"`{metric}`" for metric in metrics)
