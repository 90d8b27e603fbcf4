"""Tables and plots for a paper: a file that lists them, of one suite or several, and nothing that is trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.document import Document, must_be
from benchmark.records.store import folder_of_suite
from benchmark.report.build import Grids, table_of, write_plot, write_table
from benchmark.report.declarations import (
    Declaration,
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
from benchmark.report.plots import PLOTS
from benchmark.report.tables import TABLES
from benchmark.report.write import tell
from methods.core.usage import UsageError, did_you_mean


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


def write_paper(document: Document, root: Path) -> list[Path]:
    """Write what ``document`` lists of the results below ``root``, reading plans and records and changing none.

    Raises:
        UsageError: one sentence about what can't be read, found or built.
    """
    paper = _validated(document)
    folder = root / document.file.stem
    if (folder / "plan.json").exists():
        raise UsageError(f"{folder} holds the results of a suite; give {document.file} another name")
    return _Paper(document, paper, root).write(folder)


def _validated(document: Document) -> PaperFile:
    try:
        return PaperFile.model_validate(document.data)
    except ValidationError as error:
        first = error.errors()[0]
        key = tuple(part for part in first["loc"] if part not in ("str", "dict[str,any]"))
        name = ".".join(map(str, key))
        if first["type"] == "extra_forbidden":
            known = list((PaperFile if len(key) == 1 else Style).model_fields)
            raise UsageError(
                f"{document.where(key)}: unknown key `{name}`{did_you_mean(str(key[-1]), known)}; here are known: "
                f"{', '.join(known)}"
            ) from error
        raise UsageError(f"{document.where(key)}: `{name}` {must_be(first)}") from error


class _Paper:
    """What is read for one file: each suite once."""

    def __init__(self, document: Document, paper: PaperFile, root: Path) -> None:
        self._document, self._paper, self._root = document, paper, root
        self._read: dict[str, Grids] = {}

    def write(self, folder: Path) -> list[Path]:
        """All tables and plots; what is wrong with any of them is said before the first is written."""
        tables = self._tables()
        plots = self._plots([table for _, table in tables])
        written = []
        for suites, declaration in tables:
            table = table_of(declaration, *map(self._grids, suites))
            written += write_table(table, folder / "tables") if table else self._nothing(declaration)
        for suite, plot in plots:
            made = write_plot(plot, self._grids(suite), [table for _, table in tables], folder / "plots")
            written += made or self._nothing(plot)
        return written

    def _tables(self) -> list[tuple[list[str], TableDeclaration]]:
        entries = self._entries("tables", self._paper.tables, footnotes=True)
        with self._document.at("tables"):
            parsed = tables_of([declaration for _, declaration in entries], TABLES)
        found = []
        for number, ((suites, _), table) in enumerate(zip(entries, parsed, strict=True)):
            with self._document.at("tables", number):
                if len(suites) > 1 and not isinstance(table, PaperTable):
                    raise UsageError("only a table with a title and columns can be of several suites")
                self._check(table, suites)
            found.append((suites, table))
        return found

    def _plots(self, tables: Sequence[TableDeclaration]) -> list[tuple[str, PlotDeclaration]]:
        entries = self._entries("plots", self._paper.plots)
        with self._document.at("plots"):
            parsed = plots_of([declaration for _, declaration in entries], PLOTS.all(), tables)
        found = []
        for number, ((suites, _), plot) in enumerate(zip(entries, parsed, strict=True)):
            with self._document.at("plots", number):
                if len(suites) > 1:
                    raise UsageError("a plot is of one suite")
                self._check(plot, suites)
            found.append((suites[0], plot))
        return found

    def _entries(
        self, section: str, entries: Sequence[Declaration], *, footnotes: bool = False
    ) -> list[tuple[list[str], Declaration]]:
        """Each with its suites, and the style and footnotes of the file where it has none."""
        found: list[tuple[list[str], Declaration]] = []
        for number, entry in enumerate(entries):
            with self._document.at(section, number):
                own: dict[str, Any] = {"name": entry, "of": entry} if isinstance(entry, str) else dict(entry)
                suites = own.pop("suites", None) or [own.pop("suite", self._paper.suite)]
                if not isinstance(suites, list) or not all(isinstance(suite, str) for suite in suites):
                    raise UsageError("each needs `suite: NAME`, a folder of results, or all a `suite` at the top")
                if isinstance(own.get("style", {}), dict):
                    own["style"] = {**self._paper.style.model_dump(exclude_none=True), **own.get("style", {})}
                if footnotes and self._paper.footnotes:
                    own.setdefault("footnotes", self._paper.footnotes)
                found.append((suites, own))
        return found

    def _check(self, declaration: TableDeclaration | PlotDeclaration, suites: list[str]) -> None:
        """Arms and sizes against the results, where somebody may have mistyped them."""
        results = [self._grids(suite).results for suite in suites]
        check_arms(declaration, {arm for own in results for arm in own.arms})
        check_sizes(declaration, {size for own in results for size in own.plan["codebook_sizes"]})

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

    def _nothing(self, declaration: TableDeclaration | PlotDeclaration) -> list[Path]:
        assert not isinstance(declaration, str)
        tell([f"{self._document.file}: nothing was measured that `{declaration.name}` could show"])
        return []
