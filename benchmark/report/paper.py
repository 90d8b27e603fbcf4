"""Tables and plots for a paper: a file that lists them, of one suite or several, and nothing that is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchmark.document import Document
from benchmark.mistakes import checked
from benchmark.records.store import folder_of_suite
from benchmark.report.build import Grids, table_of, write_plot, write_table
from benchmark.report.declarations import (
    Declaration,
    Declared,
    Footnotes,
    PaperTable,
    PlotDeclaration,
    Style,
    TableDeclaration,
    check_arms,
    check_sizes,
    plots_of,
    tables_of,
)
from benchmark.report.frame import read
from benchmark.report.lacking import why_empty, why_nothing
from benchmark.report.plots import PLOTS
from benchmark.report.published import check_published
from benchmark.report.tables import TABLES
from benchmark.report.write import tell
from benchmark.values import Key
from methods.core.usage import UsageError, did_you_mean

Section = Literal["tables", "plots"]


class PaperFile(BaseModel):
    """Tables and plots of finished suites, written to `RESULTS/NAME`; `python -m benchmark tables NAME.yaml`.

    They are declared as in a suite, each with `suite`, the name of a folder of results; a table with `columns` may have
    `suites`, several. `style` and `footnotes` here hold where a table or a plot has none of its own.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    suite: str | None = Field(None, description="of tables and plots that name none")
    style: Style = Field(Style(), description="`font_size` in points, `width` in inches, `column`: single or double")
    footnotes: Footnotes | None = Field(None, description="of tables")
    tables: list[str | dict[str, Any]] = Field([], description="each written as Markdown, CSV and LaTeX")
    plots: list[str | dict[str, Any]] = Field([], description="each written as PNG and PDF")


class _Source(Declared):
    """Where a table or a plot has its results from."""

    suite: str | None = None
    suites: list[str] | None = Field(None, min_length=1)


@dataclass(frozen=True)
class Written:
    """The files of a paper, and one sentence about each table or plot that would have shown nothing."""

    paths: list[Path]
    problems: list[str]


def write_paper(document: Document, root: Path) -> Written:
    """Write what ``document`` lists of the results below ``root``, reading plans and records and changing none.

    Raises:
        UsageError: one sentence about what can't be read, found or built.
    """
    with document.at():
        paper = checked(PaperFile, document.data)
    if not paper.tables and not paper.plots:
        raise UsageError(
            f"{document.file}: neither `tables` nor `plots` lists anything; `tables: [{{name: t, suite: NAME, of: "
            "main}]` is the least"
        )
    folder = root / document.file.stem
    if (folder / "plan.json").exists():
        raise UsageError(f"{folder} holds the results of a suite; give {document.file} another name")
    return _Paper(document, paper, root).write(folder)


class _Paper:
    """What is read for one file: each suite once."""

    def __init__(self, document: Document, paper: PaperFile, root: Path) -> None:
        self._document, self._paper, self._root = document, paper, root
        self._read: dict[str, Grids] = {}

    def write(self, folder: Path) -> Written:
        """All tables and plots; what is wrong with any of them is said before the first is written."""
        with self._document.at("tables"):
            tables = tables_of(self._entries("tables", self._paper.tables), TABLES, _Source.model_fields)
        with self._document.at("plots"):
            plots = plots_of(self._entries("plots", self._paper.plots), PLOTS.all(), tables, _Source.model_fields)
        grids_of_tables = [self._grids_of("tables", number, table) for number, table in enumerate(tables)]
        grids_of_plots = [self._grids_of("plots", number, plot) for number, plot in enumerate(plots)]
        written, problems = list[Path](), list[str]()
        for number, (table, grids) in enumerate(zip(tables, grids_of_tables, strict=True)):
            made = table_of(table, *grids)
            written += write_table(made, folder / "tables") if made else []
            problem = why_empty(table, *grids) if made else why_nothing(table, tables, *grids)
            problems += [self._nothing("tables", number, problem)] if problem else []
        for number, (plot, [grid]) in enumerate(zip(plots, grids_of_plots, strict=True)):
            drawn = write_plot(plot, grid, tables, folder / "plots")
            written += drawn
            problems += [] if drawn else [self._nothing("plots", number, why_nothing(plot, tables, grid))]
        return Written(written, problems)

    def _entries(self, section: Section, entries: Sequence[Declaration]) -> list[Declaration]:
        """Without their suites; with the style and footnotes of the file where they have none."""
        found: list[Declaration] = []
        for entry in entries:
            own: dict[str, Any] = {"name": entry, "of": entry} if isinstance(entry, str) else dict(entry)
            for key in _Source.model_fields:
                own.pop(key, None)
            if isinstance(own.get("style", {}), dict):
                own["style"] = {**self._paper.style.model_dump(exclude_none=True), **own.get("style", {})}
            if section == "tables" and self._paper.footnotes:
                own.setdefault("footnotes", self._paper.footnotes)
            found.append(own)
        return found

    def _grids_of(self, section: Section, number: int, shown: TableDeclaration | PlotDeclaration) -> list[Grids]:
        """The results of an entry, in which its arms and sizes are looked for: somebody may have mistyped them."""
        suites = self._suites(section, number)
        if len(suites) > 1 and not isinstance(shown, PaperTable):
            with self._document.at(section, number, "suites"):
                raise UsageError(
                    "a plot is of one suite"
                    if section == "plots"
                    else "only a table with a title and columns can be of several suites"
                )
        grids = []
        for suite, key in suites:
            with self._document.at(*key):
                grids.append(self._grids(suite))
        results = [own.results for own in grids]
        with self._document.at(section, number):
            check_arms(shown, {arm for own in results for arm in own.arms})
            check_sizes(shown, {size for own in results for size in own.plan["codebook_sizes"]})
        if isinstance(shown, PaperTable) and shown.published is not None:
            with self._document.at(section, number, "published"):
                for grid in (own.of(shown.arms, shown.sizes) for own in grids):
                    for place in grid.places:
                        check_published(shown.published, grid.coordinates(place))
        return grids

    def _suites(self, section: Section, number: int) -> list[tuple[str, Key]]:
        """The suites of an entry, each with the key where it is named."""
        key, entry = (section, number), getattr(self._paper, section)[number]
        with self._document.at(*key):
            named = {} if isinstance(entry, str) else {k: v for k, v in entry.items() if k in _Source.model_fields}
            source = checked(_Source, named)
            if source.suites and source.suite:
                raise UsageError("`suite` and `suites` both say whose results it shows; leave out one")
            if source.suites:
                return [(suite, (*key, "suites", index)) for index, suite in enumerate(source.suites)]
            if source.suite:
                return [(source.suite, (*key, "suite"))]
            if self._paper.suite:
                return [(self._paper.suite, ("suite",))]
            raise UsageError("each needs `suite: NAME`, a folder of results, or all a `suite` at the top")

    def _grids(self, suite: str) -> Grids:
        if suite not in self._read:
            folder = folder_of_suite(self._root, suite)
            if not (folder / "plan.json").is_file():
                known = sorted(plan.parent.name for plan in self._root.glob("*/plan.json"))
                raise UsageError(f"there are no results of `{suite}` in {self._root}{did_you_mean(suite, known)}")
            results = read(folder)
            tell(results.problems)
            self._read[suite] = Grids(results)
        return self._read[suite]

    def _nothing(self, section: Section, number: int, why: str) -> str:
        return f"{self._document.where((section, number))}: {why}"
