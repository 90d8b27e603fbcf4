"""Everything a results folder says: tables, plots and the summary, the same bytes for the same records."""

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from benchmark.records.files import write_atomic
from benchmark.report.declarations import (
    Declaration,
    PaperTable,
    PlotDeclaration,
    PlotOfTable,
    TableDeclaration,
    check_arms,
    plots_of,
    tables_of,
)
from benchmark.report.escape import escape_csv
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.pdf_fonts import shared_subsets
from benchmark.report.plots import PLOTS, AgainstPublished, BySize, Plot
from benchmark.report.published import check_published
from benchmark.report.quantities import named
from benchmark.report.still_axes import hold_still
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
    folder = results.folder
    tables = tables_of(results.plan["tables"], TABLES)
    plots = plots_of(results.plan["plots"], PLOTS.all(), tables)
    grid = Grid(results)
    written = [_write(folder / "summary.csv", summary_csv(results))]
    for declaration in tables or TABLES:
        table = table_of(declaration, grid)
        written += write_table(table, folder / "tables") if table else []
    styles = arm_styles(results.plan["arms"], grid.size_free)
    with matplotlib.rc_context(RC), shared_subsets():
        for shown in plots or PLOTS.all():
            plot = _plot(shown, tables)
            figure = plot.draw(grid, styles)
            written += _write_figure(plot.name, figure, folder / "plots") if figure else []
    return written


def check_tables(tables: Sequence[Declaration], arms: Collection[str], coordinates: Mapping[str, Any]) -> None:
    """Check what a suite with these ``arms`` lists as tables; ``coordinates`` are a place of its grid.

    Raises:
        UsageError: one sentence about the first that can't be built.
    """
    for table in tables_of(tables, TABLES):
        if isinstance(table, PaperTable):
            check_arms(table, arms)
            if table.published is not None:
                check_published(table.published, coordinates)


def check_plots(plots: Sequence[Declaration], tables: Sequence[Declaration]) -> None:
    """Check what a suite lists as plots, some of which may be of its ``tables``.

    Raises:
        UsageError: one sentence about the first that can't be built.
    """
    plots_of(plots, PLOTS.all(), tables_of(tables, TABLES))


def summary_csv(results: Results) -> str:
    """`summary`, with what a spreadsheet would take for a formula made text."""
    return escape_csv(summary(results)).to_csv(index=False, lineterminator="\n")


def summary(results: Results) -> pd.DataFrame:
    """One row a run, in the order of the plan, with where it stands on every axis; runs outside the plan below."""
    place = {key: index for index, key in enumerate(dict.fromkeys(results.cells["key"].dropna()))}
    keys = sorted(results.runs.index, key=lambda key: (place.get(key, len(place)), key))
    found = results.runs.loc[keys]
    for number, axis in enumerate(results.axes[1:], 1 + list(found.columns).index("codebook_size")):
        found.insert(number, axis.name, [_setting(results.records[key]["config"], axis.name) for key in keys])
    return found


def _setting(config: Any, name: str) -> Any:
    """What a dotted ``name`` is set to in a record's ``config``; None where it is not."""
    for part in name.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def table_of(declaration: TableDeclaration, grid: Grid) -> Table | None:
    """The table that is declared; None where it does not apply."""
    if isinstance(declaration, str):
        return TABLES[declaration](grid)
    if isinstance(declaration, PaperTable):
        return paper_table(declaration, grid)
    return metrics_by_size(declaration.name, declaration.metrics, grid)


def _plot(declaration: PlotDeclaration, tables: Sequence[TableDeclaration]) -> Plot:
    if isinstance(declaration, str):
        return PLOTS.find(declaration)
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
    hold_still(figure)
    # Lay out once: both formats look the same, in half the time. None and not "none", which draws each once more to
    # place what is placed already.
    if layout := figure.get_layout_engine():
        layout.execute(figure)
    figure.set_layout_engine(None)
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
