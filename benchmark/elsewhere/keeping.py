"""A record of what was measured, by itself or as an arm beside those that a suite has trained."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmark.elsewhere.measuring import Measured
from benchmark.machine import provenance
from benchmark.metrics.codes import by_level
from benchmark.records.files import write_arrays, write_atomic
from benchmark.records.plan import BadPlanError, locked, read_plan
from benchmark.records.run import run_key
from benchmark.records.store import Store
from methods.core.usage import UsageError, did_you_mean


def write_measured(
    measured: Measured, arm: str, seed: int, point: Mapping[str, Any], folder: Path, samples: Path
) -> str:
    """Write the record of an ``arm`` with its counts and the ``samples`` into a suite's ``folder``; answers its key.

    ``point``: where it stands on further axes of the suite, by their dotted names.

    Raises:
        UsageError: no such name of an arm, a folder that can't be written, or another process that writes there.
    """
    if not (arm.isascii() and arm.isidentifier()):
        raise UsageError(f"an arm's name must be of letters, digits and underscores, not `{arm}`")
    config = _config(measured, arm, seed, point)
    key = run_key(config)
    store = Store(folder)
    with store.claim(key) as mine:
        if not mine:
            raise UsageError(f"another process writes {store.run_folder(key)}; call again")
        store.tidy(key)
        run = store.run_folder(key)
        shutil.copytree(samples, run, dirs_exist_ok=True)
        if measured.counts:
            write_arrays(run / "counts.npz", by_level(measured.counts))
        record = {
            "arm": arm,
            "suite": folder.name,
            "config": config,
            "status": "ok",
            "metrics": measured.metrics,
            "details": measured.details,
            "level_sizes": measured.level_sizes,
            "timings": {},
            "memory": {},
            "provenance": provenance(torch.device("cpu")),
        }
        store.write_record(key, record)
    return key


def _config(measured: Measured, arm: str, seed: int, point: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the key: the inputs by their hashes, and how they were measured."""
    config: dict[str, Any] = {
        "method": arm,
        "codebook_size": measured.codebook_size,
        "seed": seed,
        "measured": measured.sources,
        "evaluation": measured.evaluation,
    }
    for name, value in point.items():
        section, _, option = name.partition(".")
        config.setdefault(section, {})[option] = value
    return config


def check_place(folder: Path, arm: str, point: Mapping[str, Any]) -> None:
    """See `add_arm`, which needs what was measured; this doesn't, and so comes first.

    Raises:
        UsageError: as `add_arm`.
    """
    _check(_plan(folder), folder, arm, point)


def add_arm(folder: Path, arm: str, size: int | None, seed: int, point: Mapping[str, Any], key: str) -> None:
    """Give the run ``key`` a cell in the plan of a suite's ``folder``, so that tables and plots show it.

    Raises:
        UsageError: there is no plan, an arm of the suite has that name, or ``point`` does not name the suite's axes.
    """
    with locked(folder):
        plan = _plan(folder)
        _check(plan, folder, arm, point)
        sizes = plan["codebook_sizes"] if size is None else [size]
        cells = [
            {"arm": arm, "codebook_size": k, "seed": seed, "key": key, "unavailable": None}
            | ({"point": dict(point)} if point else {})
            for k in sizes
        ]
        places = [(k, seed, dict(point)) for k in sizes]
        kept = [
            c
            for c in plan["cells"]
            if c["arm"] != arm or (c["codebook_size"], c["seed"], c.get("point", {})) not in places
        ]
        entry = {"arm": arm, "method": arm, "params": {}, "tuned": False, "ranked": False, "measured": True}
        arms = [own for own in plan["arms"] if own["arm"] != arm]
        plan |= {
            "cells": kept + cells,
            "arms": [*arms, {**entry, "verified": False}],
            "codebook_sizes": sorted({*plan["codebook_sizes"], *sizes}),
            "seeds": sorted({*plan["seeds"], seed}),
        }
        for name, value in point.items():
            plan["axes"][name] = list(dict.fromkeys([*plan["axes"][name], value]))
        write_atomic(folder / "plan.json", json.dumps(plan, indent=1) + "\n")


def _plan(folder: Path) -> dict[str, Any]:
    try:
        return read_plan(folder / "plan.json")
    except FileNotFoundError:
        known = [plan.parent.name for plan in folder.parent.glob("*/plan.json")]
        hint = did_you_mean(folder.name, known)
        raise UsageError(f"there are no results of a suite in {folder}{hint}; run the suite first") from None
    except BadPlanError as error:
        raise UsageError(f"{error}; run the suite again") from error


def _check(plan: dict[str, Any], folder: Path, arm: str, point: Mapping[str, Any]) -> None:
    if any(own["arm"] == arm and not own.get("measured") for own in plan["arms"]):
        raise UsageError(f"the suite in {folder} has an arm `{arm}` of its own; give yours another name with --as")
    axes = plan.get("axes", {})
    if set(point) != set(axes):
        named = ", ".join(f"--at {name}=..." for name in axes) or "no --at, for it has the codebook size alone"
        raise UsageError(f"where the arm stands on the axes of {folder.name} takes {named}")
