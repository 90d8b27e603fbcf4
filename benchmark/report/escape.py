"""Plain text into Markdown, LaTeX and CSV: whatever a name or an error message holds, the document stays whole."""

import re
import unicodedata
from functools import cache

import pandas as pd
from pandas.api.types import is_numeric_dtype

from benchmark.records.plain import csv_cell, printable

_MARKDOWN = re.compile(r"([\\*\[|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|<(?=[A-Za-z/!?]))")
"""What would start something in the middle of a line; an underscore within a word does not."""
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "–": "--",
    "—": "---",
    "·": r"$\cdot$",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "²": r"$^2$",
    "³": r"$^3$",
    "⁻": r"$^-$",
    "β": r"$\beta$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "’": "'",
    "…": r"\dots{}",
}


_ACCENTED = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿß")
"""Letters that pdfLaTeX reads as they are."""


def escape_markdown(text: str) -> str:
    """``text`` for a line or a cell of Markdown; `` `code` `` stays code."""
    return "".join(
        f"`{part}`".replace("|", r"\|") if is_code else _MARKDOWN.sub(r"\\\1", part)
        for is_code, part in _parts(printable(text))
    )


def escape_csv(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` for a file of CSV: numbers as they are, names and text so that no spreadsheet computes them."""
    plain = {
        number: column if is_numeric_dtype(column) else pd.Series([*map(csv_cell, column)], column.index, object)
        for number, (_, column) in enumerate(table.items())  # by number: two may have one name
    }
    return pd.DataFrame(plain, table.index).set_axis([csv_cell(name) for name in table.columns], axis=1)


def escape_latex(text: str) -> str:
    """``text`` for pdfLaTeX; `` `code` `` becomes typewriter, a character it has no glyph for its nearest in ASCII."""
    return "".join(
        rf"\texttt{{{_latex_characters(part)}}}" if is_code else _latex_characters(part)
        for is_code, part in _parts(text)
    )


def _parts(text: str) -> list[tuple[bool, str]]:
    """(is code, text) pieces of one line; a lone backtick is an apostrophe."""
    pieces = " ".join(text.split()).split("`")
    if len(pieces) % 2 == 0:
        pieces = ["'".join(pieces)]
    return [(index % 2 == 1, piece) for index, piece in enumerate(pieces) if piece]


def _latex_characters(text: str) -> str:
    return "".join(_latex_character(character) for character in text)


@cache
def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii() or character in _ACCENTED:
        return character if character.isprintable() else ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return "".join(_LATEX.get(letter, letter) for letter in plain) or "?"
