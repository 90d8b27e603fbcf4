"""The second stage on a page: what priors learned of the codes, their samples beside anchors, and every prior's run."""

from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.catalogue import find
from benchmark.report.columns import PRICE, column
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.page.again import refused
from benchmark.report.page.content import metric_words
from benchmark.report.places import Place
from benchmark.report.plots.generation import GENERATED
from benchmark.report.priors import Priors
from benchmark.report.statistics import Interval
from benchmark.report.tables.generation import AGAINST, MODELLED, SOURCES, anchor_column, generation_table

_CURVE = 60
"""Points of a curve at most."""


def generation(grid: Grid) -> dict[str, Any] | None:
    """What the section on generation shows, in plain values; None where the suite has no second stage."""
    if not len(grid.results.priors):
        return None
    priors, table = Priors(grid), generation_table(grid)
    columns = priors.named(*MODELLED) if priors else []
    against = priors.against() if priors else None
    shown = list(dict.fromkeys([*columns, *(against or ())]))
    metrics = list(dict.fromkeys([*shown, *_measured(grid.results)]))
    return {
        "metrics": [metric_words(column(name)) for name in metrics],
        "columns": columns,
        "intervals": {name: _intervals(priors, name) for name in shown},
        "against": against,
        "anchors": _anchors(priors) if priors else None,
        "curves": _curves(priors) if priors else [],
        "sheets": _sheets(priors),
        "classes": [str(name) for name in grid.results.plan.get("generation", {}).get("class_names") or []],
        "notes": table.shown_notes if table else priors.left_out(),
        "runs": _runs(grid),
        "values": {name: _values(grid.results, name) for name in metrics},
    }


def prior_order(grid: Grid) -> list[str]:
    """Keys of the plan's priors in the order in which they get room: those whose samples are shown first."""
    shown = [key for _, _, key in _sheets(Priors(grid))]
    return list(dict.fromkeys([*shown, *_planned(grid.results)["key"]]))


def _planned(results: Results) -> pd.DataFrame:
    """The priors of the plan that have a record."""
    rows = results.priors
    return rows[rows["key"].isin(list(results.records))] if len(rows) else pd.DataFrame(columns=["key"])


def _measured(results: Results) -> list[str]:
    rows = _planned(results)
    return [name for name in rows.columns if (name in PRICE or find(name)) and rows[name].notna().any()]


def _values(results: Results, name: str) -> list[float | None]:
    return [None if value != value else float(value) for value in _planned(results)[name]]


def _runs(grid: Grid) -> dict[str, Any]:
    """A list a column, a planned prior with a record each; and how many of the plan have none yet."""
    rows = _planned(grid.results)
    index = {
        number: grid.places.index(place) for number, place in enumerate(grid.results.places) if place in grid.places
    }
    absent = len(grid.results.priors[grid.results.priors["key"].notna()]) - len(rows)
    records = [grid.results.records[key] for key in rows["key"]]
    return {
        "key": list(rows["key"]),
        "arm": [grid.arms.index(arm) for arm in rows.get("arm", [])],
        "place": [index.get(place) for place in rows.get("place", [])],
        "seed": [int(seed) for seed in rows.get("seed", [])],
        "prior_seed": [int(seed) for seed in rows.get("prior_seed", [])],
        "status": [str(record["status"]) for record in records],
        "reason": [str(record["reason"])[:400] if record.get("reason") else None for record in records],
        "refused": refused(records),
        "tokenizer": [record["provenance"].get("tokenizer") for record in records],
        "absent": absent,
    }


def _cells(priors: Priors) -> list[tuple[int, int, str, Place]]:
    """Arm and place, by number and as they are, where a prior ended well."""
    grid = priors.grid
    return [
        (number, at, arm, place)
        for number, arm in enumerate(grid.arms)
        for at, place in enumerate(grid.places)
        if priors and len(priors.at(arm, place))
    ]


def _intervals(priors: Priors, name: str) -> list[list[Any]]:
    """(arm, place, mean, half-width or None, n) where there is a mean."""
    found = ((arm, at, priors.interval(name_of, place, name)) for arm, at, name_of, place in _cells(priors))
    return [[arm, at, *_three(interval)] for arm, at, interval in found if interval is not None]


def _anchors(priors: Priors) -> dict[str, Any]:
    """Rows of arm (None: the same for all), place, what stands against test images, (mean, half-width) of each."""
    names = [name.removeprefix("samples_") for name in priors.named(*AGAINST)]
    cells = sorted(_cells(priors), key=lambda cell: cell[1])
    *own, shared = SOURCES
    first = {at: (arm, at, name_of, place) for arm, at, name_of, place in reversed(cells)}
    standing = [*((cell, of) for cell in cells for of in own), *((first[at], shared) for at in sorted(first))]
    rows = []
    for (arm, at, name_of, place), of in standing:
        means = [priors.interval(name_of, place, f"{of}_{name}") for name in names]
        if any(means):
            values = [_three(found)[:2] if found else None for found in means]
            rows.append([None if of == shared else arm, at, SOURCES[of], values])
    return {"metrics": [metric_words(anchor_column(name)) for name in names], "rows": rows}


def _curves(priors: Priors) -> list[list[Any]]:
    """(arm, place, steps, bits a position) of validation codes over training."""
    found = []
    for arm, at, name, place in _cells(priors):
        curve = priors.curve(name, place)
        if curve is not None:
            curve = curve[np.isfinite(curve)]
            curve = curve[:: -(-len(curve) // _CURVE) or 1]
            found.append([arm, at, [int(step) for step in curve.index], [float(f"{bits:.5g}") for bits in curve]])
    return found


def _sheets(priors: Priors) -> list[tuple[int, int, str]]:
    """(arm, place, key) of the samples that stand for each arm."""
    grid, found = priors.grid, []
    for number, arm in enumerate(grid.arms if priors else []):
        candidates = ((place, key) for place, key in priors.sampled(arm) if grid.results.file(key, GENERATED))
        if (one := next(candidates, None)) is not None:
            found.append((number, grid.places.index(one[0]), one[1]))
    return found


def _three(interval: Interval) -> list[Any]:
    return [interval.mean, interval.half_width, interval.n]
