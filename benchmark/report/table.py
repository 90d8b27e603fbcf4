"""A table as data, and the three ways it is written: Markdown, LaTeX (booktabs), CSV."""

import re
from dataclasses import dataclass, field, replace

import pandas as pd
from tabulate import tabulate

from benchmark.report.declarations import Footnotes, Style
from benchmark.report.escape import escape_csv, escape_latex, escape_markdown

ROWS_A_PAGE = 40
_MARKED = re.compile(r"\((\w{1,2})\) (.*)", re.DOTALL)


@dataclass(frozen=True)
class Cell:
    """One cell: plain text (`` `code` `` in backticks), perhaps bold, with raised marks after it."""

    text: str
    bold: bool = False
    marks: str = ""

    def markdown(self) -> str:
        """For a pipe table."""
        text = escape_markdown(self.text)
        return (f"**{text}**" if self.bold and text else text) + (f"<sup>{self.marks}</sup>" if self.marks else "")

    def latex(self) -> str:
        """For a tabular."""
        text = escape_latex(self.text)
        marks = rf"\textsuperscript{{{escape_latex(self.marks)}}}" if self.marks else ""
        return (rf"\textbf{{{text}}}" if self.bold and text else text) + marks


@dataclass(frozen=True)
class Block:
    """Rows under one heading; an empty heading has none."""

    heading: str
    rows: list[list[Cell]]

    def without_marks(self) -> "Block":
        """The same with bare cells."""
        return replace(self, rows=[[replace(cell, marks="") for cell in row] for row in self.rows])


@dataclass(frozen=True)
class Table:
    """Blocks of rows under common columns; ``data`` is the same in plain numbers.

    ``notes``: without which the numbers can't be read. ``background``: on what terms they came about. ``suite``: empty
    where the caption needs none.
    """

    suite: str
    name: str
    title: str
    columns: list[str]
    blocks: list[Block]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    background: list[str] = field(default_factory=list)
    footnotes: Footnotes | None = None
    style: Style = field(default_factory=Style)

    @property
    def caption(self) -> str:
        """What stands above it."""
        return f"{self.suite}: {self.title}" if self.suite else self.title

    @property
    def shown_notes(self) -> list[str]:
        """What stands below it."""
        return {"none": [], "short": self.notes}.get(self.footnotes or "long", [*self.notes, *self.background])

    def markdown(self) -> str:
        """A pipe table a block, the notes below as a list."""
        parts = [f"### {escape_markdown(self.caption)}"]
        headers = [escape_markdown(column) for column in self.columns]
        align = ["left", *["right"] * (len(self.columns) - 1)]
        for block in self.blocks:
            rows = [[cell.markdown() for cell in row] for row in block.rows]
            table = tabulate(rows, headers, tablefmt="pipe", colalign=align, disable_numparse=True)
            parts += [f"**{escape_markdown(block.heading)}**", table] if block.heading else [table]
        if self.shown_notes:
            parts.append("\n".join(f"- {escape_markdown(note)}" for note in self.shown_notes))
        return "\n\n".join(parts) + "\n"

    def latex(self) -> str:
        """Floats of at most a page, each shrunk to the width of the text where it is wider."""
        needs = "booktabs,graphicx" + (",threeparttable" if self.footnotes else "")
        head = rf"% Needs \usepackage{{{needs}}}."
        pages = self._pages()
        floats = [self._float(page, number, number == len(pages) - 1) for number, page in enumerate(pages)]
        return "\n\n".join([head, *floats]) + "\n"

    def set_as(self, name: str, title: str | None, footnotes: Footnotes | None, style: Style) -> "Table":
        """The same under another name, set as somebody wants it; without notes, cells bear no marks."""
        blocks = [block.without_marks() for block in self.blocks] if footnotes == "none" else self.blocks
        return replace(self, name=name, title=title or self.title, blocks=blocks, footnotes=footnotes, style=style)

    def csv(self) -> str:
        """Plain numbers, full precision."""
        return escape_csv(self.data).to_csv(index=False, lineterminator="\n")

    def _pages(self) -> list[list[Block]]:
        pages: list[list[Block]] = [[]]
        for block in self.blocks:
            if pages[-1] and sum(len(b.rows) + 1 for b in [*pages[-1], block]) > ROWS_A_PAGE:
                pages.append([])
            pages[-1].append(block)
        return pages

    def _float(self, blocks: list[Block], number: int, last: bool) -> str:
        environment = "table*" if self.style.column == "double" else "table"
        lines = [rf"\begin{{{environment}}}[htbp]", r"\centering"]
        if number == 0:
            # Tables of several suites stand in one paper, and each suite has a `main`.
            label = ":".join(filter(None, ["tab", self.suite, self.name]))
            lines += [rf"\caption{{{escape_latex(self.caption)}}}", rf"\label{{{label}}}"]
        else:
            lines += [r"\addtocounter{table}{-1}", rf"\caption{{{escape_latex(self.caption)} (continued)}}"]
        body = self._tabular(blocks)
        notes = self.shown_notes if last else []
        if self.footnotes:
            body = [r"\begin{threeparttable}", *body, *_tablenotes(notes), r"\end{threeparttable}"]
            notes = []
        lines += self._sized(body)
        if notes:
            text = r" \\ ".join(escape_latex(note) for note in notes)
            lines += [rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {text}}}"]
        return "\n".join([*lines, rf"\end{{{environment}}}"])

    def _sized(self, body: list[str]) -> list[str]:
        """``body`` with letters of the size that is wanted; else no wider than the text, or than is wanted."""
        if self.style.font_size:
            size = self.style.font_size
            return [rf"{{\fontsize{{{size:g}}}{{{1.2 * size:g}}}\selectfont", *body[:-1], body[-1] + "}"]
        most = f"{self.style.width:g}in" if self.style.width else r"\linewidth"
        return [rf"\resizebox{{\ifdim\width>{most}{most}\else\width\fi}}{{!}}{{%", *body[:-1], body[-1] + "}"]

    def _tabular(self, blocks: list[Block]) -> list[str]:
        width = len(self.columns)
        lines = [rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule"]
        lines += [_row([_heading(column) for column in self.columns])]
        for block in blocks:
            lines.append(r"\midrule")
            if block.heading:
                lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape_latex(block.heading)}}}}} \\")
            lines += [_row([cell.latex() for cell in row]) for row in block.rows]
        return [*lines, r"\bottomrule", r"\end{tabular}"]


def _tablenotes(notes: list[str]) -> list[str]:
    """Of a `threeparttable`, as wide as its table: a letter in parentheses is the mark that cells bear."""
    if not notes:
        return []
    items = []
    for note in notes:
        mark, text = found.groups() if (found := _MARKED.match(note)) else ("", note)
        items.append(rf"\item[{escape_latex(mark)}] {escape_latex(text)}")
    return [r"\begin{tablenotes}[flushleft]\footnotesize", *items, r"\end{tablenotes}"]


def _heading(column: str) -> str:
    """A heading for LaTeX, in two lines where a parenthesis follows."""
    first, parenthesis, rest = column.partition(" (")
    if not parenthesis:
        return escape_latex(column)
    return rf"\shortstack[r]{{{escape_latex(first)} \\ {escape_latex('(' + rest)}}}"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


class Letters:
    """Letters for explanations, the same letter for the same words."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def mark(self, text: str) -> str:
        """The letter of ``text``."""
        return self._letters.setdefault(text, _letter(len(self._letters)))

    def notes(self) -> list[str]:
        """All of them, as notes of a table."""
        return [f"({letter}) {text}" for text, letter in self._letters.items()]


def _letter(index: int) -> str:
    return (chr(ord("a") + index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)
