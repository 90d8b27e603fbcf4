"""The priors of a results folder by arm and place: means over tokenizers, and how far priors on one of them differ."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics.catalogue import find
from benchmark.report.grid import Grid
from benchmark.report.places import Place
from benchmark.report.statistics import Interval, t_interval

FIRST = 0
"""Seed of the prior that every tokenizer has; further ones show the priors' own spread and enter no mean."""

BITS = 1 / np.log(2)
"""In a nat."""


class Priors:
    """What the second stage of a suite measured, by its prior or, where ``second`` is set, by its second one.

    ``settings``: what the priors share, by the plan. ``rows``: a prior each that ended well, the first of its
    tokenizer; ``all_rows``: with the further ones.
    """

    def __init__(self, grid: Grid, *, second: bool = False) -> None:
        self.grid = grid
        plan = grid.results.plan.get("second", {}) if second else grid.results.plan
        self.settings: dict[str, Any] = plan.get("generation", {})
        self._planned = found = grid.results.second if second else grid.results.priors
        self.all_rows = (
            found[found["status"] == "ok"] if len(found) else pd.DataFrame(columns=["arm", "place", "seed", "key"])
        )
        self.rows = self.all_rows[self.all_rows["prior_seed"] == FIRST] if len(self.all_rows) else self.all_rows
        self._index = {place: number for number, place in enumerate(grid.results.places)}

    def __bool__(self) -> bool:
        """Whether any ended well."""
        return len(self.rows) > 0

    def named(self, *names: str) -> list[str]:
        """Those of ``names`` that were measured; ``samples_fd`` and the like stand for that of any network."""
        found: list[str] = []
        for name in names:
            alike = [own for own in self.rows.columns if own == name]
            if name.endswith(("_fd", "_kid")):
                alike += [own for own in self.rows.columns if own.startswith(f"{name}_") and find(own)]
                alike += [own for own in self.rows.columns if own == name.replace("_fd", "_rfid")]
            found += [own for own in alike if self.rows[own].notna().any()]
        return found

    def at(self, arm: str, place: Place) -> pd.DataFrame:
        """The rows of an arm at a place, lowest seed first."""
        rows = self.rows
        return rows[(rows["arm"] == arm) & (rows["place"] == self._index[place])].sort_values("seed")

    @property
    def places(self) -> list[Place]:
        """Where any arm has one."""
        return [place for place in self.grid.places if any(len(self.at(arm, place)) for arm in self.grid.arms)]

    def by_seed(self, place: Place, metric: str) -> pd.DataFrame:
        """``metric`` of the remedies' priors at a place: seeds of tokenizers down, arms across."""
        found = {arm: self.at(arm, place) for arm in self.grid.remedies}
        columns = {arm: rows.set_index("seed")[metric] for arm, rows in found.items() if len(rows)}
        return pd.DataFrame(columns, dtype=float)

    def interval(self, arm: str, place: Place, metric: str) -> Interval | None:
        """Mean over tokenizers with its interval; None where it was not measured."""
        rows = self.at(arm, place)
        return t_interval(rows[metric].to_numpy(dtype=float)) if metric in rows else None

    def sampled(self, arm: str) -> Iterator[tuple[Place, str]]:
        """From the last place to the first: the key of the prior on the lowest seed, whose samples are shown."""
        for place in reversed(self.grid.places):
            rows = self.at(arm, place)
            if len(rows):
                yield place, str(rows["key"].iloc[0])

    def against(self) -> tuple[str, str] | None:
        """The distances of reconstructions and of samples that are held against each other; None without both."""
        names = [found for kind in ("reconstructions_fd", "samples_fd") for found in self.named(kind)]
        return (names[0], names[1]) if len(names) == 2 else None

    def curve(self, arm: str, place: Place) -> pd.Series | None:
        """Bits a position of validation codes by step, the mean over tokenizers.

        Without the first step, which is where the weights started.
        """
        histories = [self.grid.results.history(key) for key in self.at(arm, place)["key"]]
        found = [h.set_index("step")["validation_nll"] for h in histories if h is not None and "validation_nll" in h]
        if not found:
            return None
        curve = BITS * pd.concat(found, axis=1).mean(axis=1)
        return curve[curve.index > 1] if len(curve) > 1 else curve

    def left_out(self) -> list[str]:
        """Arms without any prior, and why, a sentence for each reason."""
        without = self._planned[self._planned["key"].isna()]
        reasons: dict[str, dict[str, None]] = {}
        for arm, reason in zip(without["arm"], without["unavailable"], strict=True):
            reasons.setdefault(str(reason), {})[f"`{arm}`"] = None
        return [
            f"{len(arms)} {'arm has' if len(arms) == 1 else 'arms have'} no prior ({reason}): {', '.join(arms)}."
            for reason, arms in reasons.items()
        ]

    def spread(self, metric: str) -> list[tuple[str, float, int]]:
        """Arm, standard deviation of ``metric`` over the priors on one tokenizer, and how many those are."""
        found = []
        for arm, tokenizer in self._repeated():
            values = tokenizer[metric].dropna().to_numpy(dtype=float)
            if len(values) > 1:
                found.append((arm, float(np.std(values, ddof=1)), len(values)))
        return found

    def _repeated(self) -> Iterator[tuple[str, pd.DataFrame]]:
        for (arm, _, _), rows in self.all_rows.groupby(["arm", "place", "seed"], sort=False):
            if len(rows) > 1:
                yield str(arm), rows
