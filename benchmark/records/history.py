"""The curves of a run as ``history.csv``."""

import csv
import io
from pathlib import Path

from benchmark.records.files import write_output
from benchmark.records.plain import csv_cell

HISTORY_FILE = "history.csv"
"""In a run's folder; it grows while the run goes on."""


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """One row a point; a quantity that was not measured everywhere leaves blanks."""
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writerow({name: csv_cell(name) for name in columns})
    writer.writerows(history)
    write_output(path, text.getvalue())
