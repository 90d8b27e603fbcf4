"""The plan's cells grouped by arm and codebook size: what was measured there, and why something is missing."""

from collections import Counter

import pandas as pd

from benchmark.report.frame import Results
from benchmark.report.statistics import Comparison, Interval, compare, t_interval

_WORDS = {"out_of_memory": "out of memory", "timeout": "timed out"}
_REASON_LENGTH = 200


class Grid:
    """Arms × codebook sizes of a results folder."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.arms = results.arms
        self.sizes = results.sizes
        self.size_free = [arm for arm in self.arms if results.is_size_free(arm)]
        # One run that serves every size would enter a comparison once a size.
        self.remedies = [arm for arm in self.arms if not results.is_reference(arm) and arm not in self.size_free]
        self._cells = dict(list(results.cells.groupby(["arm", "codebook_size"])))
        self._ok = {at: cells[cells["status"] == "ok"] for at, cells in self._cells.items()}
        self.most_seeds = max((len(cells) for cells in self._ok.values()), default=0)
        self._intervals: dict[tuple[str, int, str], Interval | None] = {}
        self._comparisons: dict[tuple[str, tuple[int, ...]], Comparison | None] = {}

    def planned(self, arm: str, size: int) -> bool:
        """Whether the plan has this arm at this size."""
        return (arm, size) in self._cells

    def ok(self, arm: str, size: int) -> pd.DataFrame:
        """The runs that ended well, one row a seed."""
        return self._ok.get((arm, size), self.results.cells.iloc[:0])

    def values(self, arm: str, size: int, metric: str) -> pd.Series:
        """One number a seed, those that were measured."""
        runs = self.ok(arm, size)
        return runs[metric].dropna() if metric in runs else pd.Series(dtype=float)

    def interval(self, arm: str, size: int, metric: str) -> Interval | None:
        """Mean over seeds with its interval."""
        at = (arm, size, metric)
        if at not in self._intervals:
            self._intervals[at] = t_interval(self.values(arm, size, metric).to_numpy(dtype=float))
        return self._intervals[at]

    def at_size(self, size: int, metric: str) -> float | None:
        """A quantity that the arms share at a size (tokens, ceiling): the median over runs."""
        runs = self.results.ok
        runs = runs[(runs["codebook_size"] == size) & runs["arm"].isin(self.remedies)]
        values = runs[metric].dropna() if metric in runs else pd.Series(dtype=float)
        return float(values.median()) if len(values) else None

    def not_converged(self, arm: str, size: int) -> bool:
        """Whether the validation error of any run was still falling at its end."""
        return bool((self.ok(arm, size)["converged"] == False).any())  # noqa: E712 - None is neither

    def state(self, arm: str, size: int) -> str | None:
        """None where a run ended well; otherwise what became of most, in a word or two."""
        if len(self.ok(arm, size)):
            return None
        return self._fates(arm, size).most_common(1)[0][0][0]

    def explanation(self, arm: str, size: int) -> str | None:
        """Why runs are missing here; None where all ended well, or where `state` says it all."""
        fates = self._fates(arm, size)
        total = len(self._cells[arm, size])
        if fates == {("not run yet", ""): total}:
            return None
        sentences = []
        for (word, reason), count in sorted(fates.items()):
            share = "" if count == total else f"{count} of {total} "
            sentences.append(f"{share}{word}" + (f": {reason}" if reason else ""))
        return "; ".join(sentences) or None

    def compare(self, metric: str, direction: int, sizes: list[int]) -> Comparison | None:
        """The remedies compared on ``metric`` over the blocks of ``sizes`` × seeds."""
        at = (metric, tuple(sizes))
        if at not in self._comparisons:
            ok = self.results.ok
            ok = ok[ok["arm"].isin(self.remedies) & ok["codebook_size"].isin(sizes)]
            blocks = ok.pivot(index=["codebook_size", "seed"], columns="arm", values=metric)
            arms = [arm for arm in self.remedies if arm in blocks.columns]
            self._comparisons[at] = compare(blocks[arms], direction)
        return self._comparisons[at]

    def _fates(self, arm: str, size: int) -> Counter[tuple[str, str]]:
        """(What became of it, why) of the cells that did not end well."""
        fates: Counter[tuple[str, str]] = Counter()
        cells = self._cells[arm, size]
        for cell in cells.loc[cells["status"] != "ok", ["status", "unavailable", "reason"]].itertuples():
            if isinstance(cell.unavailable, str):
                fates["unavailable", _short(cell.unavailable)] += 1
            elif isinstance(cell.status, str):
                fates[_WORDS.get(cell.status, cell.status), _short(cell.reason)] += 1
            else:
                fates["not run yet", ""] += 1
        return fates


def _short(reason: object) -> str:
    if not isinstance(reason, str) or not reason.strip():
        return ""
    line = reason.strip().splitlines()[0]
    return line if len(line) <= _REASON_LENGTH else line[: _REASON_LENGTH - 1] + "…"
