"""How long the runs that are left may take: from finished runs, or from a few timed steps."""

import json
from statistics import mean

import torch

from benchmark.data import datasets
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.suite.plan import Plan
from benchmark.training.trainer import Trainer

_WARM_UP, _TIMED = 2, 3
_EVALUATION_SHARE = 1.3
"""Evaluation and start-up on top of training, roughly; finished runs replace this guess."""


def estimate_seconds(plan: Plan, left: list[Run], store: Store | None, device: torch.device) -> tuple[float, str]:
    """Seconds that the runs ``left`` take, added up, and on what the figure rests."""
    known = _finished(plan, store)
    seconds, timed = 0.0, 0
    rates: dict[str, float] = {}
    for run in left:
        if run.pretrained is not None:
            continue  # its evaluation alone, which nothing here foretells
        place = _length(run)
        if place in known:
            seconds += known[place]
            continue
        if place not in rates:
            rates[place] = _seconds_a_step(run, device)
            timed += 1
        seconds += rates[place] * run.config["training"]["steps"] * _EVALUATION_SHARE
    return seconds, f"{timed} timed for {_TIMED} steps each" if timed else "from finished runs"


def _finished(plan: Plan, store: Store | None) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for run in plan.runs:
        record = store.record(run.key) if store else None
        if record is not None and record["status"] == "ok":
            totals.setdefault(_length(run), []).append(record["timings"]["total_seconds"])
    return {place: mean(values) for place, values in totals.items()}


def _length(run: Run) -> str:
    """What runs of the same length share: their configuration without what changes numbers but no sizes.

    Of a data set the whole numbers count (dimension, items); a shift or the name of a law makes no step longer.
    """
    config = run.config
    sizes = {name: value for name, value in config["dataset"].items() if name == "name" or isinstance(value, int)}
    training = {**config["training"], "learning_rate": None}
    return json.dumps({**config, "dataset": sizes, "training": training, "seed": None}, sort_keys=True)


def _seconds_a_step(run: Run, device: torch.device) -> float:
    dataset = datasets.create(run.config["dataset"]["name"], run.dataset_options)
    trainer = Trainer(run.config, dataset, device)
    return trainer.seconds_a_step(_WARM_UP, _TIMED)
