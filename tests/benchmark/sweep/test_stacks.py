"""A stack trained layer after layer is a run as any other: plan, record, curves and rates."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.records.store import Store
from benchmark.report.frame import read
from benchmark.report.rates import BITS
from benchmark.suite.plan import plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Launcher
from benchmark.sweep.runner import Settings, run_plan

Write = Callable[[dict[str, object] | str], str]


def test_depths_are_runs_that_differ_in_bits_an_image(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, in_process: Launcher
) -> None:
    widths = {"encoder_widths": [4, 4, 4], "decoder_widths": [4, 4, 4]}
    arm = {"arm": "stack", "method": "hqa", "params": {"loss_per": "value", "draws": True}}
    suite = {
        **tiny,
        "training": {**tiny["training"], "steps": 6},
        "model": {"name": "hqa_stack", "latent_dim": 4, **widths},
        "grid": {"codebook_size": [8], "model.layers": [1, 2]},
        "methods": [{**arm, "training": {"layerwise": True, "keep": "weights"}}, "hqa"],
    }
    plan, store = plan_suite(write_suite(suite)), Store(tmp_path / "results")
    outcome = run_plan(plan, store, in_process, Settings("cpu", threads=1), Display(quiet=True))
    assert not outcome.failed
    by_depth = {run.config["model"]["layers"]: run for run in plan.runs if run.arm == "stack"}
    for depth, side in ((1, 8), (2, 4)):
        record = outcome.ended[by_depth[depth].key]
        assert record["metrics"]["tokens"] == record["metrics"]["n_images"] * side * side
        counts = np.load(store.run_folder(record["key"]) / "counts.npz")["level_1"]
        assert counts.sum() == record["metrics"]["tokens"]
    deep = store.run_folder(by_depth[2].key)
    rows = list(csv.DictReader((deep / "history.csv").read_text().splitlines()))
    assert [int(float(row["layer"])) for row in rows] == [1] * 3 + [2] * 3
    assert (deep / "weights.pt").exists()
    write_plan(plan, store)
    results = read(tmp_path / "results")
    bits = results.cells.set_index("key")[BITS]
    assert [bits[by_depth[depth].key] for depth in (1, 2)] == [8 * 8 * 3, 4 * 4 * 3]
    ranked = {arm["arm"]: arm.get("ranked", True) for arm in results.plan["arms"]}
    assert ranked == {"stack": True, "hqa": False}
