"""What a page shows of a results folder, in plain values: arms, places, runs, means with intervals, tested pairs."""

from typing import Any

import pandas as pd

from benchmark.metrics.catalogue import METRICS, find, in_order
from benchmark.report.build import summary
from benchmark.report.columns import PRICE, Column, column
from benchmark.report.families import COLOURS, family_of
from benchmark.report.frame import device_of
from benchmark.report.grid import Grid
from benchmark.report.lengths import after_longest, longest
from benchmark.report.notes import arm_marks
from benchmark.report.page.again import refused
from benchmark.report.page.answer import answer, headline, told_at
from benchmark.report.page.looks import look
from benchmark.report.page.notes import page_notes
from benchmark.report.page.published import published_rows
from benchmark.report.places import Axis, text
from benchmark.report.plots.base import ceiling, is_logarithmic
from benchmark.report.progress import PROGRESS
from benchmark.report.quantities import USAGE, distortion_columns, grouped
from benchmark.report.style import arm_styles

_FIRST = ("usage", "perplexity")
_MANY_NUMBERS = 150_000
"""Metrics × runs beyond which only those of tables are kept, rounded."""
_DIGITS = 5
_MOST_PAIRS = 12_000
"""Tested pairs beyond which they are of all places together alone."""
_PROTOCOL = ("dataset", "model", "objective")


def content(grid: Grid) -> tuple[dict[str, Any], list[str]]:
    """The values of a page, and a sentence for each thing that is left out because there is too much of it."""
    results = grid.results
    rows = summary(results)
    rows = rows.drop(index=[key for key in rows.index if results.is_prior(key)])
    metrics, left_out = _metrics(grid, rows)
    pairs, more = _pairs(grid)
    shown = headline(grid)
    many = bool(left_out)
    places = {place: number for number, place in enumerate(grid.places)}
    data = {
        "suite": results.plan["suite"],
        "question": results.plan["question"],
        "answer": answer(grid),
        "tuned": not results.is_untuned,
        "protocol": _protocol(results.plan),
        "headline": shown.name if shown else None,
        "notes": page_notes(grid),
        "problems": [problem.replace(f"{results.folder}/", "") for problem in results.problems],
        "axes": [_axis(axis) for axis in grid.axes],
        "x": grid.axes.index(grid.x),
        "told": grid.places.index(told_at(grid)),
        "places": [list(place.values) for place in grid.places],
        "titles": [grid.title(place) for place in grid.places],
        "together": f"all places together{after_longest(grid)}",
        "tokens": [grid.shared(place, "tokens") for place in grid.places],
        "families": list(COLOURS),
        "arms": _arms(grid),
        "metrics": [metric_words(found) for found in metrics],
        "ceilings": {name: [_ceiling(grid, name, place) for place in grid.places] for name in _FIRST},
        "runs": _runs(grid, rows),
        "cells": _cells(grid, list(rows.index)),
        "values": {found.name: _numbers(rows[found.name], many) for found in metrics},
        "intervals": {found.name: _intervals(grid, found, places, many) for found in metrics},
        "timed_on": results.timed_on,
        "pairs": pairs,
        "published": published_rows(grid, places),
    }
    return data, [*left_out, *more]


def _metrics(grid: Grid, rows: pd.DataFrame) -> tuple[list[Column], list[str]]:
    """Columns of the summary that can be shown, what is looked at first in front."""
    results = grid.results
    known = [name for name in rows.columns if (name in PRICE or name in PROGRESS or find(name)) and results.has(name)]
    brief = [found.name for found in (*grouped(USAGE)(results), *distortion_columns(results))]
    shown = headline(grid)
    first = [*([shown.name] if shown else []), *_FIRST, "entropy_bits", *brief, *PRICE]
    names = [name for name in dict.fromkeys([*first, *in_order(known, _groups()), *known]) if name in known]
    if len(names) * len(rows) <= _MANY_NUMBERS:
        return [column(name) for name in names], []
    kept = [name for name in names if name in first][: max(6, _MANY_NUMBERS // max(len(rows), 1))]
    sentence = (
        f"Of {len(rows):,} runs the page has {len(kept)} of {len(names)} metrics, rounded to {_DIGITS} digits; "
        "summary.csv has all."
    )
    return [column(name) for name in kept], [sentence]


def _groups() -> list[Any]:
    return list(dict.fromkeys(metric.group for metric in METRICS.values() if metric.group))


def _protocol(plan: dict[str, Any]) -> str:
    """Data, model, objective and length in a line, for who points at a number."""
    protocol = plan.get("protocol", {})
    names = [section.get("name") for name in _PROTOCOL if isinstance(section := protocol.get(name), dict)]
    training = protocol.get("training")
    steps = training.get("steps") if isinstance(training, dict) else None
    return " · ".join([*map(str, filter(None, names)), *([f"{steps:,} steps"] if isinstance(steps, int) else [])])


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "name": axis.name,
        "label": axis.label,
        "symbol": axis.symbol,
        "numeric": axis.numeric,
        "log": is_logarithmic(axis),
        "values": list(axis.values),
        "texts": [text(value) for value in axis.values],
    }


def _arms(grid: Grid) -> list[dict[str, Any]]:
    styles = arm_styles(grid.results.plan["arms"], grid.size_free)
    return [
        {
            "name": arm,
            "method": entry["method"],
            "family": family_of(entry["method"]),
            "params": {name: str(value) for name, value in entry["params"].items()},
            "marks": arm_marks(grid, arm, grid.places),
            "reference": grid.results.is_reference(arm),
            "remedy": arm in grid.remedies,
            "size_free": arm in grid.size_free,
            **look(styles[arm]),
        }
        for arm in grid.arms
        for entry in [grid.results.arm(arm)]
    ]


def metric_words(found: Column) -> dict[str, Any]:
    """How the page prints a quantity."""
    return {
        "name": found.name,
        "label": found.label,
        "unit": found.unit,
        "heading": found.heading,
        "description": found.description,
        "direction": found.direction,
        "decimals": found.decimals,
        "scale": found.scale,
        "lowest": 0.0 if found.percent else found.lowest,
        "price": found.name in PRICE,
    }


def _ceiling(grid: Grid, name: str, place: Any) -> float | None:
    bound = ceiling(column(name), grid, place)
    return None if bound is None else bound / column(name).scale


def _runs(grid: Grid, rows: pd.DataFrame) -> dict[str, Any]:
    """A list a column, in the order of summary.csv; by number why a run is not verified."""
    arms = {arm: number for number, arm in enumerate(grid.arms)}
    records = [grid.results.records[key] for key in rows.index]
    reasons = [None if pd.isna(reason) else str(reason)[:400] for reason in rows["reason"]]
    return {
        "key": list(rows.index),
        "arm": [arms.get(arm, -1) for arm in rows["arm"]],
        "named": [None if arm in arms else str(arm) for arm in rows["arm"]],
        "size": [None if pd.isna(size) else int(size) for size in rows["codebook_size"]],
        "seed": [None if pd.isna(seed) else int(seed) for seed in rows["seed"]],
        "status": list(rows["status"]),
        "reason": reasons,
        "planned": [int(planned) for planned in rows["planned"]],
        "device": [device_of(record) for record in records],
        "refused": refused(records),
    }


def _cells(grid: Grid, keys: list[str]) -> list[list[Any]]:
    """(arm, place, seed, run or None, why none is) of the plan."""
    arms = {arm: number for number, arm in enumerate(grid.arms)}
    runs = {key: number for number, key in enumerate(keys)}
    shown = {grid.results.places.index(place): number for number, place in enumerate(grid.places)}
    cells = grid.results.cells
    columns = (cells[name] for name in ("arm", "place", "seed", "key", "unavailable"))
    return [
        [arms[arm], shown[place], int(seed), runs.get(key), why if isinstance(why, str) else None]
        for arm, place, seed, key, why in zip(*columns, strict=True)
    ]


def _numbers(values: pd.Series, rounded: bool) -> list[float | None]:
    return [_number(float(value), rounded) for value in values]


def _number(value: float, rounded: bool) -> float | None:
    if value != value:
        return None
    return float(f"{value:.{_DIGITS}g}") if rounded else value


def _intervals(grid: Grid, shown: Column, places: dict[Any, int], rounded: bool) -> list[list[Any]]:
    """(arm, place, mean, half-width or None, n) where there is a mean."""
    found = []
    for number, arm in enumerate(grid.arms):
        for place, at in places.items():
            interval = grid.interval(arm, place, shown.name) if grid.planned(arm, place) else None
            if interval is not None:
                half = None if interval.half_width is None else _number(interval.half_width, rounded)
                found.append([number, at, _number(interval.mean, rounded), half, interval.n])
    return found


def _pairs(grid: Grid) -> tuple[dict[str, Any], list[str]]:
    """By metric and place the tested pairs, (arm, arm, difference, half-width, p, p of Holm, n).

    Place -1: all of the longest training together.
    """
    columns = [*distortion_columns(grid.results), *grouped(USAGE)(grid.results)]
    arms = {arm: number for number, arm in enumerate(grid.arms)}
    each = len(grid.remedies) * (len(grid.remedies) - 1) // 2 * len(columns)
    scopes = {-1: longest(grid)}
    sentences = []
    if each * (1 + len(grid.places)) <= _MOST_PAIRS:
        scopes |= {number: [place] for number, place in enumerate(grid.places)} if len(grid.places) > 1 else {}
    elif not grid.results.is_untuned:
        sentences.append("There are so many pairs of arms that they are tested over all places together, not at each.")
    found: dict[str, Any] = {}
    for shown in columns:
        for scope, places in scopes.items():
            pairs = grid.pairs(shown.name, places)
            if pairs:
                found.setdefault(shown.name, {})[scope] = [
                    [
                        arms[pair.first],
                        arms[pair.second],
                        *_rounded(pair.difference.mean, pair.difference.half_width, pair.p, pair.p_holm),
                        pair.difference.n,
                    ]
                    for pair in pairs
                ]
    return found, sentences


def _rounded(*values: float | None) -> list[float | None]:
    return [None if value is None else _number(value, rounded=True) for value in values]
