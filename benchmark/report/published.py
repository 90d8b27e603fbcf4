"""Figures printed in papers, from ``results/published/``, to stand beside our own."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmark.report.declarations import PublishedRows
from methods.core.usage import UsageError, did_you_mean

FILE = (Path(__file__).parents[1] / "shipped" / "published" / "published.csv").resolve()
_SCALES = {"usage_pct": 0.01, "SSIM_x100": 0.01}
"""From a published number to a share, which is what our records hold."""
_AXIS = re.compile(r"\{([^{}:]+)(?::([^{}]+))?\}")


class Figure(NamedTuple):
    """One published value, in our units, and where it was read."""

    value: float
    source: str
    first_hand: bool


def find(rows: PublishedRows, arm: str, metric: str, coordinates: Mapping[str, Any]) -> Figure | None:
    """The figure for ``metric`` of ``arm`` at a place of the grid; None where there is none.

    Raises:
        UsageError: the declaration matches no paper, no column, or several values at once.
    """
    method, name = rows.methods.get(arm), rows.metrics.get(metric)
    if method is None or name is None:
        return None
    table, wanted = _of_place(rows, coordinates)
    for column, value in {**wanted, "method": method, "metric": name}.items():
        table = table[table[column] == value]
    if len(table) > 1:
        raise UsageError(f"{len(table)} published values of `{name}` of {method!r} fit {wanted}; narrow `where`")
    if not len(table):
        return None
    row = table.iloc[0]
    try:
        number = float(row["value"])
    except ValueError:  # "collapsed"
        return None
    return Figure(number * _SCALES.get(name, 1.0), str(row["source"]), bool(row["first_hand"] == "yes"))


def check_published(rows: PublishedRows, coordinates: Mapping[str, Any]) -> None:
    """Look for every figure that a table may ask for at a place of the grid.

    Raises:
        UsageError: the declaration matches no paper, no column, no method or metric of the paper, no axis, or several
            values at once.
    """
    for arm in rows.methods:
        for metric in rows.metrics:
            find(rows, arm, metric, coordinates)


def _of_place(rows: PublishedRows, coordinates: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The figures of the paper, and what their columns must hold at a place of the grid."""
    table = _of_paper(rows.paper)
    for column in rows.where:
        if column not in table:
            raise UsageError(
                f"published figures have no column `{column}`{did_you_mean(column, map(str, table.columns))}"
            )
    for column, wanted in (("method", rows.methods), ("metric", rows.metrics)):
        known = sorted(set(table[column]))
        for name in wanted.values():
            if name not in known:
                raise UsageError(
                    f"{rows.paper} has no published {column} `{name}`{did_you_mean(name, known)}; "
                    f"there are: {', '.join(known)}"
                )
    return table, {column: _filled(text, coordinates) for column, text in rows.where.items()}


@cache
def _everything() -> pd.DataFrame:
    try:
        return pd.read_csv(FILE, dtype=str, keep_default_na=False)
    except OSError as error:
        raise UsageError(f"the published figures {FILE} can't be read: {error.strerror}") from error


@cache
def _of_paper(paper: str) -> pd.DataFrame:
    everything = _everything()
    found = everything[everything["paper"] == paper]
    if not len(found):
        hint = did_you_mean(paper, sorted(set(everything["paper"])))
        raise UsageError(f"there are no published figures of the paper {paper!r}{hint}")
    return found


def _filled(text: str, coordinates: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name, specification = match[1], match[2] or ""
        if name not in coordinates:
            raise UsageError(f"published figures refer to the axis `{name}`{did_you_mean(name, coordinates)}")
        if re.search(r"[0-9]{3}", specification):
            raise UsageError(f"`{match[0][:60]}` of published figures asks for hundreds of characters")
        try:
            return format(coordinates[name], specification)
        except ValueError as error:
            raise UsageError(
                f"`{match[0]}` of published figures does not suit {coordinates[name]!r}: {error}"
            ) from error

    return _AXIS.sub(value, text)
