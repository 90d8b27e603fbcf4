"""The curves of a run as ``history.csv``."""

import csv
import io
from pathlib import Path

from benchmark.records import write_output


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """One row a point; a quantity that was not measured everywhere leaves blanks."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_output(path, text.getvalue())


def read_history(path: Path) -> list[dict[str, str]]:
    """The rows as they were written; none where the file is missing or can't be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []
