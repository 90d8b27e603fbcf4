"""Everything a results folder says: tables, plots and the summary, the same bytes for the same records."""

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from benchmark.document import below
from benchmark.records.files import write_atomic
from benchmark.records.run import tokenizer_of
from benchmark.report.declarations import (
    Declaration,
    PaperTable,
    PlotDeclaration,
    PlotOf,
    PlotOfTable,
    Style,
    TableDeclaration,
    TableOf,
    check_arms,
    plots_of,
    tables_of,
)
from benchmark.report.escape import escape_csv
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.pdf_fonts import shared_subsets
from benchmark.report.plots import PLOTS, AgainstPublished, BySize, Plot
from benchmark.report.plots.page import page, set_figure
from benchmark.report.published import check_published
from benchmark.report.quantities import named
from benchmark.report.selection import selected
from benchmark.report.still_axes import lay_out
from benchmark.report.style import RC, arm_styles
from benchmark.report.table import Table
from benchmark.report.tables import TABLES, metrics_by_size, paper_table
from methods.core.usage import UsageError


def build(results: Results) -> list[Path]:
    """Write ``summary.csv``, ``tables/`` and ``plots/`` into the folder of ``results``.

    Each table as Markdown, CSV and LaTeX, each plot as PNG and PDF: those that ``plan.json`` declares, or
    all that apply.

    Returns:
        What was written, the summary first.

    Raises:
        UsageError: the plan declares a table or plot that there is not, or nothing can be written.
    """
    (tables, plots), grids = declared(results), Grids(results)
    written = [_write(results.folder / "summary.csv", summary_csv(results))]
    return written + build_tables(tables, grids) + build_plots(plots, tables, grids)


def declared(results: Results) -> tuple[list[TableDeclaration], list[PlotDeclaration]]:
    """The tables and plots that the plan declares, or all there are.

    Raises:
        UsageError: one of them is not there.
    """
    tables = tables_of(results.plan["tables"], TABLES)
    plots = plots_of(results.plan["plots"], PLOTS.all(), tables)
    return list(tables or TABLES), list(plots or PLOTS.all())


def build_tables(tables: Sequence[TableDeclaration], grids: "Grids") -> list[Path]:
    """Write those of ``tables`` that apply, as `build` does."""
    folder = grids.results.folder / "tables"
    made = (table_of(declaration, grids) for declaration in tables)
    return [path for table in made if table for path in write_table(table, folder)]


def build_plots(plots: Sequence[PlotDeclaration], tables: Sequence[TableDeclaration], grids: "Grids") -> list[Path]:
    """Draw those of ``plots`` that apply, of which some may be of ``tables``, as `build` does."""
    folder = grids.results.folder / "plots"
    return [path for shown in plots for path in write_plot(shown, grids, tables, folder)]


class Grids:
    """The grids of one results folder: whole, and of what single tables and plots show of it."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self._made: dict[str, Grid] = {}

    def of(self, arms: Sequence[str] | None = None, sizes: Sequence[int] | None = None) -> Grid:
        """The grid of some arms and codebook sizes; of all where None."""
        key = repr((arms, sizes))
        if key not in self._made:
            self._made[key] = Grid(selected(self.results, arms, sizes))
        return self._made[key]

    def shown_by(self, declaration: TableDeclaration | PlotDeclaration) -> Grid:
        """The grid of what a table or a plot shows."""
        return self.of() if isinstance(declaration, str) else self.of(declaration.arms, declaration.sizes)


def check_tables(tables: Sequence[Declaration], arms: Collection[str], coordinates: Mapping[str, Any]) -> None:
    """Check what a suite with these ``arms`` lists as tables; ``coordinates`` are a place of its grid.

    Raises:
        UsageError: one sentence about the first that can't be built, with its key.
    """
    for index, table in enumerate(tables_of(tables, TABLES)):
        with below(index):
            check_arms(table, arms)
        if isinstance(table, PaperTable) and table.published is not None:
            with below(index, "published"):
                check_published(table.published, coordinates)


def check_plots(plots: Sequence[Declaration], tables: Sequence[Declaration], arms: Collection[str]) -> None:
    """Check what a suite with these ``arms`` lists as plots, some of which may be of its ``tables``.

    Raises:
        UsageError: one sentence about the first that can't be built, with its key.
    """
    for index, plot in enumerate(plots_of(plots, PLOTS.all(), tables_of(tables, TABLES))):
        with below(index):
            check_arms(plot, arms)


def summary_csv(results: Results) -> str:
    """`summary`, with what a spreadsheet would take for a formula made text."""
    return escape_csv(summary(results)).to_csv(index=False, lineterminator="\n")


def summary(results: Results) -> pd.DataFrame:
    """One row a run, in the order of the plan, with where it stands on every axis; runs outside the plan below.

    A run's arm is the plan's (its first, of several that share it), whatever the suite that it was made for calls it.
    """
    stages = [results.cells, *(stage for stage in (results.priors, results.second) if len(stage))]
    planned = pd.concat([stage[["key", "arm"]] for stage in stages]).dropna().drop_duplicates("key")
    arms = dict(zip(planned["key"], planned["arm"], strict=True))
    place = {key: index for index, key in enumerate(arms)}
    keys = sorted(results.runs.index, key=lambda key: (place.get(key, len(place)), key))
    found = results.runs.loc[keys]
    found = found.assign(arm=[arms.get(key, arm) for key, arm in found["arm"].items()])
    for number, axis in enumerate(results.axes[1:], 1 + list(found.columns).index("codebook_size")):
        found.insert(
            number, axis.name, [_setting(tokenizer_of(results.records[key]["config"]), axis.name) for key in keys]
        )
    return found


def _setting(config: Any, name: str) -> Any:
    """What a dotted ``name`` is set to in a record's ``config``; None where it is not."""
    for part in name.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def table_of(declaration: TableDeclaration, *grids: Grids) -> Table | None:
    """The table that is declared, of several suites where it can be; None where it does not apply."""
    if isinstance(declaration, str):
        [whole] = grids
        return TABLES[declaration](whole.of())
    shown = [grid for own in grids if (grid := own.shown_by(declaration)).places]
    if not shown:
        return None
    if isinstance(declaration, PaperTable):
        table = paper_table(declaration, *shown)
    elif isinstance(declaration, TableOf):
        table = TABLES[declaration.of](shown[0])
    else:
        table = metrics_by_size(declaration.name, declaration.metrics, shown[0])
    title = declaration.title if isinstance(declaration, TableOf) else None
    return table.set_as(declaration.name, title, declaration.footnotes, declaration.style) if table else None


def write_plot(
    declaration: PlotDeclaration, grids: Grids, tables: Sequence[TableDeclaration], folder: Path
) -> list[Path]:
    """Draw the plot that is declared and write it as PNG and PDF; nothing where it does not apply."""
    name, style = (declaration, Style()) if isinstance(declaration, str) else (declaration.name, declaration.style)
    grid = grids.shown_by(_with_arms(declaration, tables))
    if not grid.places:
        return []
    with matplotlib.rc_context(RC), shared_subsets(), page(style):
        figure = _plot(declaration, tables).draw(grid, arm_styles(grid.results.plan["arms"], grid.size_free))
        if figure is None:
            return []
        set_figure(figure, style)
        return _write_figure(name, figure, folder)


def _with_arms(declaration: PlotDeclaration, tables: Sequence[TableDeclaration]) -> PlotDeclaration:
    """A plot of a table has the arms and sizes of the table where it names none."""
    if not isinstance(declaration, PlotOfTable):
        return declaration
    [table] = [t for t in tables if isinstance(t, PaperTable) and t.name == declaration.table]
    update = {"arms": declaration.arms or table.arms, "sizes": declaration.sizes or table.sizes}
    return declaration.model_copy(update=update)


def _plot(declaration: PlotDeclaration, tables: Sequence[TableDeclaration]) -> Plot:
    if isinstance(declaration, str):
        return PLOTS.find(declaration)
    if isinstance(declaration, PlotOf):
        return PLOTS.find(declaration.of)
    if isinstance(declaration, PlotOfTable):
        [table] = [t for t in tables if isinstance(t, PaperTable) and t.name == declaration.table]
        return AgainstPublished(declaration.name, table)
    return BySize(declaration.name, named(*declaration.metrics))


def write_table(table: Table, folder: Path) -> list[Path]:
    """Write a table as Markdown, CSV and LaTeX.

    Raises:
        UsageError: nothing can be written into ``folder``.
    """
    contents = {"md": table.markdown(), "csv": table.csv(), "tex": table.latex()}
    return [_write(folder / f"{table.name}.{suffix}", content) for suffix, content in contents.items()]


def _write_figure(name: str, figure: Figure, folder: Path) -> list[Path]:
    lay_out(figure)
    written = []
    for suffix, without in (("png", ("Software",)), ("pdf", ("CreationDate", "Creator", "Producer"))):
        content = io.BytesIO()
        figure.savefig(content, format=suffix, metadata=dict.fromkeys(without))
        written.append(_write(folder / f"{name}.{suffix}", content.getvalue()))
    return written


def _write(path: Path, content: str | bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise UsageError(f"the report {path} can't be written: {error.strerror}") from error
    return path
