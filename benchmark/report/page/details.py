"""What a click on a run opens: its settings, curves, code frequencies, samples and sounds, as far as there is room."""

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.parts.rank_frequency import relative_curve
from benchmark.records.files import read_file
from benchmark.report.frame import Results, unusable
from benchmark.report.grid import Grid
from benchmark.report.page.plain import plain
from benchmark.report.plots.base import last_runs

_SECTIONS = ("config", "provenance", "details", "timings", "memory")
_RANKS = 48
"""Points of a rank–frequency curve; on logarithmic axes no eye sees more."""
_TRACEBACK = 3000
_CLIPS = 8


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


def media(results: Results, keys: list[str], room: int) -> tuple[dict[str, str], dict[str, Any], list[str]]:
    """Pictures and sounds by hash as ``data:`` addresses, what each run has of them, and what is left out.

    Pictures and the first clip of every run come before second clips; what several runs share is there once.
    """
    found: dict[str, str] = {}
    runs: dict[str, Any] = {}
    left_out: set[str] = set()
    for key, kind, names in sorted(_samples(results, keys), key=lambda sample: sample[1]):
        made = [made for name in names if (made := _address(results, key, name)) is not None]
        if len(made) != len(names):
            continue
        added = {_digest(address): address for address in made}
        needed = sum(len(address) for digest, address in added.items() if digest not in found)
        if needed > room:
            left_out.add(key)
            continue
        room -= needed
        found |= added
        own = runs.setdefault(key, {"picture": None, "sounds": []})
        if len(names) == 1:
            own["picture"] = _digest(made[0])
        else:
            own["sounds"].append([kind, *(_digest(address) for address in made)])
    several = f"{len(left_out):,} runs" if len(left_out) != 1 else "1 run"
    return found, runs, [f"Some samples of {several} are left out, for want of room."] if left_out else []


def _samples(results: Results, keys: list[str]) -> Iterator[tuple[str, int, list[str]]]:
    """(key, rank, files) of what there is: clips by number, spectra of sounds last, for they are large."""
    for key in keys:
        clips = 0
        for clip in range(1, _CLIPS + 1):
            names = [f"samples/{kind}_{clip}.wav" for kind in ("original", "reconstruction")]
            if any(results.file(key, name) is None for name in names):
                break
            clips = clip
            yield key, clip, names
        if results.file(key, "samples.png") is not None:
            yield key, 100 if clips else 0, ["samples.png"]


def _address(results: Results, key: str, name: str) -> str | None:
    """A file as a ``data:`` address, a sound losslessly compressed; None, and a warning, where it can't be used."""
    path = results.file(key, name)
    assert path is not None, "only files that are there are asked for"
    if name.endswith(".png"):
        return None if results.samples(key) is None else _encoded(read_file(path), "image/png")
    return _sound(path)


def _sound(path: Path) -> str | None:
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="int16")
        stream = io.BytesIO()
        soundfile.write(stream, samples, rate, format="FLAC")
    except (soundfile.LibsndfileError, OSError) as error:
        unusable(path, error)
        return None
    return _encoded(stream.getvalue(), "audio/flac")


def _encoded(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]


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
