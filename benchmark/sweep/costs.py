"""What a run takes, foretold from runs that ended: of its shape, else of its arm at other sizes, else of others."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import mean, median
from typing import Any

from benchmark.records.run import Run
from benchmark.suite.memory import bytes_needed
from benchmark.sweep.room import shape
from methods import get

DEAR: Mapping[str, float] = {
    "qinco": 40,
    "sc_vae": 49,
    "vq_wae": 37,
    "kmeans": 20,
    "ibq": 9,
    "hqa": 8,
    "optvq": 8,
    "sq_vae": 6,
    "gumbel_vq": 5,
    "wasserstein_vq": 5,
    "fvq": 4,
    "vqgan_lc": 4,
    "residual_simvq": 3,
    "residual_vq": 3,
}
"""Methods that take a multiple of what `vq_vae` takes a step, the model left out, at K=256 on a CPU
(results/reference/remedies; `kmeans` of plain_clustering); all others less than three times as much."""
_OVERHEAD = 1.1e5
"""Bytes of weights whose work takes as long as what does not grow with them (`codebook_scaling` at 2,000 steps)."""


@dataclass(frozen=True)
class Parts:
    """Seconds: of a step in all but the quantizer and in the quantizer, and of all that is no step."""

    model: float
    quantizer: float
    fixed: float


class Costs:
    """Told of runs that ended, by this call or before; asked how long others take."""

    def __init__(self) -> None:
        self._took: dict[str, list[float]] = {}
        self._parts: dict[str, dict[tuple[str, int], list[Parts]]] = {}  # by surroundings, by arm and size
        self._earlier: set[str] = set()
        self._again: list[tuple[float, float]] = []
        self._known: dict[str, float | None] = {}

    def ended(self, run: Run, took: float, timings: Mapping[str, Any], *, earlier: bool = False) -> None:
        """A run ``took`` so many seconds by the clock; ``timings`` are its record's. ``earlier``: before this call."""
        place = shape(run)
        if earlier and place not in self._took:
            self._earlier.add(place)
        elif not earlier and place in self._earlier:  # of another day, or another machine
            self._earlier.remove(place)
            self._again.append((mean(self._took.pop(place)), took))
        self._took.setdefault(place, []).append(took)
        if (parts := _parts(run, took, timings)) is not None:
            of_arms = self._parts.setdefault(_surroundings(run), {})
            of_arms.setdefault((_arm(run), run.config["codebook_size"] or 1), []).append(parts)
        self._known.clear()

    def knows(self, run: Run) -> bool:
        """Whether a run of its shape has ended."""
        return shape(run) in self._took

    def seconds(self, run: Run) -> float | None:
        """Of the whole run; None while nothing is known of any."""
        place = shape(run)
        if place not in self._known:
            found = self._took.get(place)
            self._known[place] = mean(found) if found else self._composed(run)
        known = self._known[place]
        return None if known is None else known * (self._pace() if place in self._earlier else 1.0)

    def fixed(self, run: Run) -> float:
        """Start-up and evaluation of a run; 0 while nothing is known."""
        near = self._parts.get(_surroundings(run), {})
        alike = [parts.fixed for (arm, _), all_ in near.items() if arm == _arm(run) for parts in all_]
        every = [parts.fixed for of_arms in self._parts.values() for all_ in of_arms.values() for parts in all_]
        others = [parts.fixed for all_ in near.values() for parts in all_]
        return mean(alike or others or every or [0.0])

    def _composed(self, run: Run) -> float | None:
        """By the model's part of runs in the same surroundings, and the quantizer's of its arm or of all."""
        if not self._parts or run.tokenizer is not None or run.pretrained is not None:
            every = [took for own in self._took.values() for took in own]
            return mean(every) if every else None
        near = self._parts.get(_surroundings(run)) or {
            place: parts for of_arms in self._parts.values() for place, parts in of_arms.items()
        }
        model = median(mean(parts.model for parts in all_) for all_ in near.values())
        return run.steps * (model + _quantizer(run, near)) + self.fixed(run)

    def _pace(self) -> float:
        """How much longer runs take now than those of their shape did before this call."""
        before, now = map(sum, zip(*self._again, strict=True)) if self._again else (1.0, 1.0)
        return now / before if before > 0 else 1.0


def _quantizer(run: Run, near: Mapping[tuple[str, int], list[Parts]]) -> float:
    """Of a step, by its arm at other sizes; else by the mean of all, each at this size, and by what a method costs."""
    curves: dict[str, dict[int, float]] = {}
    for (arm, size), parts in near.items():
        curves.setdefault(arm, {})[size] = mean(one.quantizer for one in parts)
    if (own := curves.get(_arm(run))) is not None:
        return _at_size(_arm(run), own, run)
    others = [_at_size(arm, curve, run) / _dear(json.loads(arm)["method"]) for arm, curve in curves.items()]
    return mean(others) * _dear(run.config["method"])


def _at_size(arm: str, curve: Mapping[int, float], run: Run) -> float:
    """An arm's seconds at the size of ``run``: along a line through the two nearest, never steeper than its weights."""
    dim = run.config["model"].get("latent_dim") or run.config["dataset"].get("dim") or 1
    wanted = run.config["codebook_size"] or 1
    near = sorted(curve, key=lambda size: abs(size - wanted))[:2]
    weights = {size: _weights(arm, size, dim) for size in (*near, wanted)}
    overhead = _OVERHEAD
    if len(near) == 2:
        low, high = sorted(near)
        grown = curve[high] - curve[low]
        if grown <= 0:
            return mean(curve[size] for size in near)
        overhead = max(1.0, (curve[low] * weights[high] - curve[high] * weights[low]) / grown)
    return curve[near[0]] * (overhead + weights[wanted]) / (overhead + weights[near[0]])


def _dear(method: str) -> float:
    return DEAR.get(method, 1.0)


def _parts(run: Run, took: float, timings: Mapping[str, Any]) -> Parts | None:
    """Of a record's timings; None where it has none of a tokenizer's training."""
    train, share = timings.get("train_seconds"), timings.get("quantizer_share") or 0.0
    if train is None or run.tokenizer is not None or run.pretrained is not None:
        return None
    whole = max(took, timings.get("total_seconds") or 0.0)  # of one that went on, ``took`` is the last part alone
    step = train / run.steps
    return Parts(step * (1 - share), step * share, max(0.0, whole - train))


@cache
def _weights(arm: str, size: int, dim: int) -> float:
    """Bytes of the weights of an arm's quantizer, with which its work grows."""
    named = json.loads(arm)
    return float(bytes_needed(get(named["method"]), size, dim, named["params"]) or 0)


def _arm(run: Run) -> str:
    """What the quantizer's part of a step depends on beside its size."""
    return json.dumps({"method": run.config["method"], "params": _without_floats(run.config["params"])}, sort_keys=True)


def _without_floats(params: Mapping[str, Any]) -> dict[str, Any]:
    """Without rates and weights, which cost nothing and which tuning sets for each size apart."""
    kept = {name: value for name, value in params.items() if not isinstance(value, float)}
    return {name: _without_floats(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


def _surroundings(run: Run) -> str:
    """What the model's part of a step depends on."""
    without = {"method": None, "params": None, "codebook_size": None, "version": None}
    named = json.loads(shape(run))
    return json.dumps({**named, **without, "training": {**named["training"], "steps": None}}, sort_keys=True)
