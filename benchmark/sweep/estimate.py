"""How long the runs that are left may take: from finished runs, or from a few timed steps."""

from statistics import mean

import torch

from benchmark.data import datasets
from benchmark.machine import memory
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.suite.memory import bytes_needed
from benchmark.suite.plan import Plan
from benchmark.sweep.room import shape
from benchmark.training.trainer import Trainer
from methods import get

_WARM_UP, _TIMED = 2, 3
_SHARE = 0.5  # of the memory there is, which a run that is timed may need
_EVALUATION_SHARE = 1.3
"""Evaluation and start-up on top of training, roughly; finished runs replace this guess."""


def estimate_seconds(plan: Plan, left: list[Run], store: Store | None, device: torch.device) -> tuple[float, str]:
    """Seconds that the runs ``left`` take, added up, and on what the figure rests."""
    known = _finished(plan, store)
    seconds, timed, untimed = 0.0, 0, 0
    rates: dict[str, float | None] = {}
    for run in left:
        if run.pretrained is not None:
            continue  # its evaluation alone, which nothing here foretells
        place = shape(run)
        if place in known:
            seconds += known[place]
            continue
        if place not in rates:
            rates[place] = _seconds_a_step(run, device)
            timed += rates[place] is not None
        if (rate := rates[place]) is None:
            untimed += 1
            continue
        seconds += rate * run.config["training"]["steps"] * _EVALUATION_SHARE
    basis = f"{timed} timed for {_TIMED} steps each" if timed else "from finished runs"
    return seconds, f"{basis}; without {untimed} that may need more memory than there is" if untimed else basis


def _finished(plan: Plan, store: Store | None) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for run in plan.runs:
        record = store.record(run.key) if store else None
        if record is not None and record["status"] == "ok":
            totals.setdefault(shape(run), []).append(record["timings"]["total_seconds"])
    return {place: mean(values) for place, values in totals.items()}


def _seconds_a_step(run: Run, device: torch.device) -> float | None:
    """None where weights, gradients and moments might not fit: the run has a process of its own to find out."""
    config = run.config
    method, size, dim = get(config["method"]), config["codebook_size"] or 1, config["model"].get("latent_dim", 1)
    needed, there = bytes_needed(method, size, dim, config["params"]), memory(device.type)
    if needed is not None and there is not None and 4 * needed > _SHARE * there:
        return None
    dataset = datasets.create(config["dataset"]["name"], run.dataset_options)
    trainer = Trainer(config, dataset, device)
    return trainer.seconds_a_step(_WARM_UP, _TIMED)
