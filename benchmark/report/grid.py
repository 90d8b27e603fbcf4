"""The plan's cells grouped by arm and place: what was measured there, and why something is missing."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.frame import Results
from benchmark.report.places import Axis, Place
from benchmark.report.progress import ABOVE_BEST, ABOVE_BEST_DB
from benchmark.report.statistics import (
    Comparison,
    Interval,
    PairDifference,
    compare,
    compare_pairs,
    lacking,
    t_interval,
)

_WORDS = {"out_of_memory": "out of memory", "timeout": "timed out"}
_REASON_LENGTH = 200
VALIDATION = "validation_error"
"""The objective's error on the validation set, which chooses the arm that others are compared with."""


class Grid:
    """Arms × places of a results folder.

    ``x``: the axis that tables go across and lines go along: the codebook size where there are several, else the
    first axis with several values, numbers before words.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.arms = results.arms
        self.axes = results.axes
        self.size_free = [arm for arm in self.arms if results.is_size_free(arm)]
        self.codeless = [arm for arm in self.arms if not results.is_reference(arm) and results.is_codeless(arm)]
        # One run that serves every size would enter a comparison once a size; without codes nothing bounds the bits.
        apart = {*self.size_free, *self.codeless}
        self.coded = [arm for arm in self.arms if not results.is_reference(arm) and arm not in apart]
        self.partial = [arm for arm in self.arms if not results.is_ranked(arm)]
        self.untuned = [] if results.is_untuned else [arm for arm in self.coded if not results.is_tuned(arm)]
        self.remedies = [arm for arm in self.coded if arm not in (*self.partial, *self.untuned)]
        self._index = {place: number for number, place in enumerate(results.places)}
        self._cells = dict(list(results.cells.groupby(["arm", "place"])))
        self._ok = dict(list(results.ok.groupby(["arm", "place"])))
        missing = results.cells[results.cells["status"] != "ok"]
        self._fates = {at: _fates(cells) for at, cells in missing.groupby(["arm", "place"])}
        self._none = results.cells.iloc[:0]
        planned = set(results.cells["place"])
        self.places = [place for place, number in self._index.items() if number in planned]
        self.sizes = sorted({place.size for place in self.places})
        several = [axis for axis in self.axes if len(axis.values) > 1]
        self.x = min(several, key=lambda axis: (self.axes.index(axis) > 0, not axis.numeric), default=self.axes[0])
        self.most_seeds = max((len(cells) for cells in self._ok.values()), default=0)
        self._values: dict[tuple[str, Place, str], np.ndarray] = {}
        self._intervals: dict[tuple[str, Place, str], Interval | None] = {}
        self._comparisons: dict[tuple[str, tuple[Place, ...]], Comparison | None] = {}
        self._pivots: dict[tuple[str, tuple[Place, ...]], pd.DataFrame] = {}
        self._tables: dict[tuple[Place, ...], _Blocks] = {}

    def coordinate(self, place: Place) -> Any:
        """Where a place stands along ``x``."""
        return place.values[self.axes.index(self.x)]

    def coordinates(self, place: Place) -> dict[str, Any]:
        """The value of a place on every axis, for a table of plain numbers."""
        return {axis.name: value for axis, value in zip(self.axes, place.values, strict=True)}

    def lines(self) -> list[tuple[str, list[Place]]]:
        """The places along ``x``, a line for each combination of the other axes, headed by what they are."""
        position = self.axes.index(self.x)
        found: dict[tuple[Any, ...], list[Place]] = {}
        for place in self.places:
            found.setdefault(place.values[:position] + place.values[position + 1 :], []).append(place)
        return [
            (
                self.title(places[0], without=self.x),
                sorted(places, key=lambda p: self.x.values.index(self.coordinate(p))),
            )
            for places in found.values()
        ]

    def title(self, place: Place, without: Axis | None = None) -> str:
        """``K = 1,024 · shift = 2``: the axes with several values, or the codebook size where none has."""
        several = [axis for axis in self.axes if len(axis.values) > 1] or self.axes[:1]
        at = zip(self.axes, place.values, strict=True)
        return " · ".join(axis.at(value) for axis, value in at if axis in several and axis != without)

    def size_free_places(self, arm: str) -> list[Place]:
        """One place for each run that an arm without a size has."""
        found: dict[tuple[Any, ...], Place] = {}
        for place in self.places:
            if self.planned(arm, place):
                found.setdefault(place.values[1:], place)
        return list(found.values())

    def planned(self, arm: str, place: Place) -> bool:
        """Whether the plan has this arm at this place."""
        return (arm, self._index[place]) in self._cells

    def ok(self, arm: str, place: Place) -> pd.DataFrame:
        """The runs that ended well, one row a seed."""
        return self._ok.get((arm, self._index[place]), self._none)

    def first_key(self, arm: str, place: Place) -> str | None:
        """The key of the run of the lowest seed that ended well; None where none did."""
        runs = self.ok(arm, place)
        return str(runs.sort_values("seed")["key"].iloc[0]) if len(runs) else None

    def summary(self, arm: str, place: Place, metric: str, interval: Interval | None) -> dict[str, Any]:
        """One row of a long table: where it is, and mean, half-width and number of runs of ``metric``."""
        return {
            "arm": arm,
            **self.coordinates(place),
            "metric": metric,
            "mean": interval.mean if interval else None,
            "half_width": interval.half_width if interval else None,
            "n": interval.n if interval else 0,
        }

    def values(self, arm: str, place: Place, metric: str) -> np.ndarray:
        """One number a seed ``[n]``, those that were measured."""
        at = (arm, place, metric)
        if at not in self._values:
            runs = self.ok(arm, place)
            values = runs[metric].to_numpy(dtype=float) if metric in runs else np.empty(0)
            self._values[at] = values[~np.isnan(values)]
        return self._values[at]

    def interval(self, arm: str, place: Place, metric: str) -> Interval | None:
        """Mean over seeds with its interval."""
        at = (arm, place, metric)
        if at not in self._intervals:
            self._intervals[at] = t_interval(self.values(arm, place, metric))
        return self._intervals[at]

    def shared(self, place: Place, metric: str) -> float | None:
        """A quantity that the arms share at a place (tokens, ceiling): the median over runs."""
        runs = self.results.ok
        runs = runs[(runs["place"] == self._index[place]) & runs["arm"].isin(self.coded)]
        values = runs[metric].dropna() if metric in runs else pd.Series(dtype=float)
        return float(values.median()) if len(values) else None

    def ends_above_best(self, arm: str, place: Place) -> bool:
        """Whether any run ended well above the lowest validation error it had."""
        return bool((self.values(arm, place, ABOVE_BEST) > ABOVE_BEST_DB).any())

    def learning_rate(self, arm: str, place: Place) -> float | None:
        """The learning rate that the runs of an arm have at a place; None where none was made."""
        rates = self._cells[arm, self._index[place]]["learning_rate"].dropna()
        return float(rates.iloc[0]) if len(rates) else None

    def state(self, arm: str, place: Place) -> str | None:
        """None where a run ended well; otherwise what became of most, in a word or two."""
        if len(self.ok(arm, place)):
            return None
        return self._fates[arm, self._index[place]].most_common(1)[0][0][0]

    def explanation(self, arm: str, place: Place) -> str | None:
        """Why runs are missing here; None where all ended well, or where `state` says it all."""
        fates = self._fates.get((arm, self._index[place]), Counter())
        total = len(self._cells[arm, self._index[place]])
        if fates == {("not run yet", ""): total}:
            return None
        sentences = []
        for (word, reason), count in sorted(fates.items()):
            share = "" if count == total else f"{count} of {total} "
            sentences.append(f"{share}{word}" + (f": {reason}" if reason else ""))
        return "; ".join(sentences) or None

    def compare(self, metric: str, direction: int, places: list[Place]) -> Comparison | None:
        """The remedies compared on ``metric`` over the blocks of ``places`` × seeds.

        None where there is nothing to compare, and for untuned arms: their order is that of their defaults.
        """
        if self.results.is_untuned:
            return None
        at = (metric, tuple(places))
        if at not in self._comparisons:
            validation = self._blocks(VALIDATION, places)
            self._comparisons[at] = compare(self._blocks(metric, places), direction, validation)
        return self._comparisons[at]

    def pairs(self, metric: str, places: list[Place]) -> list[PairDifference]:
        """Every pair of remedies by the tests of `compare`; empty where that is None for want of tuning or blocks."""
        return [] if self.results.is_untuned else compare_pairs(self._blocks(metric, places))

    def lacking(self, metric: str, places: list[Place]) -> dict[str, int]:
        """The remedies that lack blocks of ``places`` × seeds which others have, and how many each."""
        return lacking(self._blocks(metric, places))

    def by_seed(self, place: Place, metric: str) -> pd.DataFrame:
        """``metric`` of the remedies at a place: seeds down, arms across."""
        runs = {arm: self.ok(arm, place) for arm in self.remedies}
        columns = {arm: pd.Series(found[metric].array, found["seed"]) for arm, found in runs.items() if len(found)}
        return pd.DataFrame(columns, dtype=float)

    def _blocks(self, metric: str, places: list[Place]) -> pd.DataFrame:
        """``metric`` of the remedies: places and seeds down, arms across."""
        at = (metric, tuple(places))
        if at not in self._pivots:
            self._pivots[at] = self._pivot(metric, places)
        return self._pivots[at]

    def _pivot(self, metric: str, places: list[Place]) -> pd.DataFrame:
        at = tuple(places)
        if at not in self._tables:
            ok = self.results.ok
            ok = ok[ok["arm"].isin(self.remedies) & ok["place"].isin([self._index[place] for place in places])]
            self._tables[at] = _Blocks(ok, self.remedies)
        return self._tables[at].of(metric)


class _Blocks:
    """Where the runs of ``ok`` stand in tables with a row a block (place and seed) and a column an arm, in order."""

    def __init__(self, ok: pd.DataFrame, arms: list[str]) -> None:
        self._ok = ok
        self._arms = pd.Index([arm for arm in arms if arm in set(ok["arm"])], name="arm")
        blocks = pd.MultiIndex.from_frame(ok[["place", "seed"]])
        self._blocks = blocks.unique().sort_values()
        self._at = self._blocks.get_indexer(blocks), self._arms.get_indexer(pd.Index(ok["arm"]))

    def of(self, metric: str) -> pd.DataFrame:
        """The table of ``metric``, NaN where there is no run."""
        values = np.full((len(self._blocks), len(self._arms)), np.nan)
        if metric in self._ok:
            values[self._at] = self._ok[metric]
        return pd.DataFrame(values, self._blocks, self._arms)


def _fates(missing: pd.DataFrame) -> Counter[tuple[str, str]]:
    """(What became of it, why) of cells that did not end well."""
    fates: Counter[tuple[str, str]] = Counter()
    for status, unavailable, reason in zip(missing["status"], missing["unavailable"], missing["reason"], strict=True):
        if isinstance(unavailable, str):
            fates["unavailable", _short(unavailable)] += 1
        elif isinstance(status, str):
            fates[_WORDS.get(status, status), _short(reason)] += 1
        else:
            fates["not run yet", ""] += 1
    return fates


def _short(reason: object) -> str:
    if not isinstance(reason, str) or not reason.strip():
        return ""
    line = reason.strip().splitlines()[0]
    return line if len(line) <= _REASON_LENGTH else line[: _REASON_LENGTH - 1] + "…"
