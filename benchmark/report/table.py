"""A table as data, and the three ways it is written: Markdown, LaTeX (booktabs), CSV."""

from dataclasses import dataclass, field

import pandas as pd
from tabulate import tabulate

from benchmark.report.escape import escape_csv, escape_latex, escape_markdown

ROWS_A_PAGE = 40


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


@dataclass(frozen=True)
class Table:
    """Blocks of rows under common columns, with numbered notes; ``data`` is the same in plain numbers."""

    suite: str
    name: str
    title: str
    columns: list[str]
    blocks: list[Block]
    data: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def caption(self) -> str:
        """What stands above it."""
        return f"{self.suite}: {self.title}"

    def markdown(self) -> str:
        """A pipe table a block, the notes below as a list."""
        parts = [f"### {escape_markdown(self.caption)}"]
        headers = [escape_markdown(column) for column in self.columns]
        align = ["left", *["right"] * (len(self.columns) - 1)]
        for block in self.blocks:
            rows = [[cell.markdown() for cell in row] for row in block.rows]
            table = tabulate(rows, headers, tablefmt="pipe", colalign=align, disable_numparse=True)
            parts += [f"**{escape_markdown(block.heading)}**", table] if block.heading else [table]
        if self.notes:
            parts.append("\n".join(f"- {escape_markdown(note)}" for note in self.notes))
        return "\n\n".join(parts) + "\n"

    def latex(self) -> str:
        """Floats of at most a page, each shrunk to the width of the text where it is wider."""
        head = r"% Needs \usepackage{booktabs,graphicx}."
        pages = self._pages()
        floats = [self._float(page, number, number == len(pages) - 1) for number, page in enumerate(pages)]
        return "\n\n".join([head, *floats]) + "\n"

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
        width = len(self.columns)
        lines = [r"\begin{table}[htbp]", r"\centering"]
        if number == 0:
            # Tables of several suites stand in one paper, and each suite has a `main`.
            lines += [rf"\caption{{{escape_latex(self.caption)}}}", rf"\label{{tab:{self.suite}:{self.name}}}"]
        else:
            lines += [r"\addtocounter{table}{-1}", rf"\caption{{{escape_latex(self.caption)} (continued)}}"]
        lines += [r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"]
        lines += [rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}", r"\toprule"]
        lines += [_row([_heading(column) for column in self.columns])]
        for block in blocks:
            lines.append(r"\midrule")
            if block.heading:
                lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape_latex(block.heading)}}}}} \\")
            lines += [_row([cell.latex() for cell in row]) for row in block.rows]
        lines += [r"\bottomrule", r"\end{tabular}}"]
        if last and self.notes:
            notes = r" \\ ".join(escape_latex(note) for note in self.notes)
            lines += [rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize {notes}}}"]
        return "\n".join([*lines, r"\end{table}"])


def _heading(column: str) -> str:
    """A heading for LaTeX, in two lines where a parenthesis follows."""
    first, parenthesis, rest = column.partition(" (")
    if not parenthesis:
        return escape_latex(column)
    return rf"\shortstack[r]{{{escape_latex(first)} \\ {escape_latex('(' + rest)}}}"


def _row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


class Footnotes:
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
