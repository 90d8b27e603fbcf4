"""What a report costs: CPU seconds of reading many records, of their tables and of their plots."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

from benchmark.records.plan import RESPONSE, read_plan
from benchmark.records.store import RECORD, Store, read_whole
from methods import UsageError

Made = TypeVar("Made")
SOURCE = Path("results/reference/codebook_scaling")
SEEDS, QUICK_SEEDS = 45, 3
"""Seeds under which the runs of `SOURCE` are copied: about a thousand records."""


class Report(NamedTuple):
    """CPU seconds of the parts of one report, without imports, and of how many ``records``."""

    records: int
    reading: float
    tables: float
    plots: float


def measure_report(seeds: int, source: Path = SOURCE) -> Report:
    """Report on the runs of ``source`` under ``seeds`` seeds, in a folder of its own.

    Raises:
        UsageError: ``source`` is not there.
    """
    from benchmark import report
    from benchmark.report.build import Grids, build_plots, build_tables, declared

    with TemporaryDirectory() as folder:
        records = plant(source, Path(folder), seeds)
        results, reading = _timed(lambda: report.read(Path(folder)))
        (tables, plots), grids = declared(results), Grids(results)
        _, writing = _timed(lambda: build_tables(tables, grids))
        _, drawing = _timed(lambda: build_plots(plots, tables, grids))
    return Report(records, reading, writing, drawing)


def plant(source: Path, folder: Path, seeds: int) -> int:
    """Copy every run of ``source`` to ``folder`` under other seeds, whole records of their own; how many there are.

    A seed has the numbers of one that was run: what is copied measures a report, and nothing else.
    """
    try:
        plan = read_plan(source / "plan.json")
    except FileNotFoundError:
        raise UsageError(f"there is no {source}: make perf is run where the project's results are") from None
    store, cells, there = Store(folder), [], set()
    for seed in range(seeds):
        for cell in (cell for cell in plan["cells"] if cell["seed"] == plan["seeds"][seed % len(plan["seeds"])]):
            key = cell["key"] and re.sub(r"-s\d+-", f"-s{seed}-", cell["key"])
            cells.append({**cell, "seed": seed, "key": key})
            run = source / "runs" / str(cell["key"])
            if key not in there and (run / RECORD).exists():
                there.add(key)
                shutil.copytree(run, store.run_folder(key), dirs_exist_ok=True)
                record = read_whole(run)
                store.write_record(key, {**record, "config": {**record["config"], "seed": seed}})
    (folder / "plan.json").write_text(json.dumps({**plan, "cells": cells, "seeds": list(range(seeds))}))
    if (source / RESPONSE).exists():
        shutil.copyfile(source / RESPONSE, folder / RESPONSE)
    return len(there)


def _timed(work: Callable[[], Made]) -> tuple[Made, float]:
    started = time.process_time()
    return work(), time.process_time() - started
