"""What a click on a run opens: its settings, curves and code frequencies, as far as there is room."""

import json
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.parts.rank_frequency import relative_curve
from benchmark.report.frame import Results
from benchmark.report.grid import Grid
from benchmark.report.page.plain import plain
from benchmark.report.plots.base import last_runs

_SECTIONS = ("config", "provenance", "details", "timings", "memory")
_RANKS = 48
"""Points of a rank–frequency curve; on logarithmic axes no eye sees more."""
_TRACEBACK = 3000


def details(results: Results, keys: list[str], room: int) -> tuple[dict[str, Any], list[str]]:
    """By key what sets each run apart, and under ``""`` the settings that all have; the first of ``keys`` first.

    Args:
        room: characters that they may take.
    """
    flat = {key: {name: _flat(results.records[key].get(name)) for name in _SECTIONS} for key in keys}
    common = {name: _common([own[name] for own in flat.values()]) for name in _SECTIONS} if len(keys) > 1 else {}
    found: dict[str, Any] = {"": common}
    room -= len(json.dumps(common))
    for number, key in enumerate(keys):
        own = {name: _less(flat[key][name], common.get(name, {})) for name in _SECTIONS}
        entry = plain({**own, **_of_record(results, key), **_curves(results, key), **_ranks(results, key)})
        room -= len(json.dumps(entry, ensure_ascii=False))
        if room < 0:
            there = f"{number:,} of {len(keys):,} runs"
            return found, [f"Settings, curves and code frequencies are there of {there}, for want of room."]
        found[key] = entry
    return found, []


def order(grid: Grid) -> list[str]:
    """Keys in the order in which they get room: those that plots show samples of, runs that failed, then by seed."""
    cells = grid.results.cells[grid.results.cells["key"].isin(grid.results.records)]
    first = [key for _, _, key in last_runs(grid)]
    failed = cells[cells["status"] != "ok"]["key"].head(200)
    by_seed = cells.sort_values(["seed", "place"], kind="stable")["key"]
    others = (key for key in grid.results.records if not grid.results.is_prior(key))
    return list(dict.fromkeys([*first, *failed, *by_seed, *others]))


def _of_record(results: Results, key: str) -> dict[str, Any]:
    record = results.records[key]
    own = {"levels": [int(size) for size in record["level_sizes"]], "thinned": record.get("thinned", [])}
    if record.get("traceback"):
        own["traceback"] = str(record["traceback"])[-_TRACEBACK:]
    return own


def _curves(results: Results, key: str) -> dict[str, Any]:
    """The curves of a run without the clock: a list a quantity, four digits."""
    history = results.histories.get(key)
    if history is None:
        return {}
    columns = {str(name): values for name, values in history.items() if name != "seconds" and values.notna().any()}
    return {"curves": {name: _four_digits(values) for name, values in columns.items()}}


def _ranks(results: Results, key: str) -> dict[str, Any]:
    """Rank and frequency relative to a uniform source, of the first level."""
    levels = results.counts(key) if results.file(key, "counts.npz") is not None else None
    if not levels or not levels[0].any():
        return {}
    ranks, frequencies = relative_curve(levels[0])
    chosen = np.unique(np.linspace(0, len(ranks) - 1, _RANKS).round().astype(int))
    return {"ranks": [_four_digits(pd.Series(values[chosen])) for values in (ranks, frequencies)]}


def _four_digits(values: pd.Series) -> list[float | None]:
    return [None if value != value else float(f"{value:.4g}") for value in map(float, values)]


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """A setting a line, by its dotted name."""
    if isinstance(value, dict):
        parts = [_flat(inner, f"{name}.{key}" if name else str(key)) for key, inner in value.items()]
        return {key: text for part in parts for key, text in part.items()}
    return {} if value is None else {name: value if isinstance(value, str) else json.dumps(value)}


def _common(all_of_them: list[dict[str, str]]) -> dict[str, str]:
    shared = set(all_of_them[0].items()).intersection(*(set(own.items()) for own in all_of_them[1:]))
    return {name: value for name, value in all_of_them[0].items() if (name, value) in shared}


def _less(own: dict[str, str], common: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in own.items() if common.get(name) != value}
