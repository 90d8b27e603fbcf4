"""Text from records and messages as nothing but text: no commands to a terminal, no formulas in a CSV cell."""

import unicodedata

_COMMANDS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what is no sign but does something: escape sequences, other directions, half characters."""
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets compute, also after spaces; in some countries full-width signs too."""


def printable(text: str) -> str:
    """``text`` with characters that a terminal obeys written as escapes, ``\\x1b``; newlines and tabs stay."""
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if character not in "\n\t" and unicodedata.category(character) in _COMMANDS
        else character
        for character in text
    )


def one_line(text: object) -> str:
    """`printable` text in one line of a terminal, whose next line no message, name or path may write."""
    return " ".join(filter(None, (printable(line).strip() for line in str(text).splitlines())))


def csv_cell(value: object) -> object:
    """``value`` for a CSV file: text that a spreadsheet would compute gets an apostrophe before it; numbers stay."""
    if not isinstance(value, str):
        return value
    return (
        f"'{printable(value)}" if value.lstrip(" ").startswith(_FORMULA) and not _is_number(value) else printable(value)
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
