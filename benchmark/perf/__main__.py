"""`python -m benchmark.perf`: measure everything, write tables and plots."""

import argparse
import json
import os
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from benchmark.machine import find_device, provenance
from benchmark.perf.groups import GROUPS
from benchmark.perf.measurements import Measurement, as_frame, measure_shape
from benchmark.perf.plot import write_plots
from benchmark.perf.report import QUICK_SEEDS, SEEDS, measure_report
from benchmark.perf.steps import PACKAGE
from benchmark.perf.tables import write_tables
from benchmark.perf.timing import FULL, QUICK
from benchmark.perf.trained import images
from methods import UsageError

OUTPUT = Path("results/reference/perf")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print progress, write ``OUTPUT/<device type>/``."""
    options = _parser().parse_args(arguments)
    try:
        _measure(options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(options: argparse.Namespace) -> None:
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as workers have it
    device = find_device(options.device)
    images()  # or say at once that they can't be had
    effort = QUICK if options.quick else FULL[device.type]
    torch.backends.cuda.matmul.allow_tf32 = False
    where = provenance(device)
    where["packages"] |= _peers()
    measurements: list[Measurement] = []
    groups = list(GROUPS.values())
    for group in groups:
        least = max(options.rounds, 0 if options.quick else group.fewest_rounds)
        rounds = replace(effort, fewest=max(effort.fewest, least), most=max(effort.most, least))
        for shape in group.quick_shapes if options.quick else group.shapes:
            print(f"{group.kind} {group.name}: N = {shape.rows:,}, K = {shape.size:,}, D = {shape.dim}", flush=True)
            measurements += measure_shape(group, shape, device, rounds, print)
    print("report", flush=True)
    report = measure_report(QUICK_SEEDS if options.quick else SEEDS)
    folder = options.output / device.type
    folder.mkdir(parents=True, exist_ok=True)
    frame = as_frame(measurements)
    (folder / "provenance.json").write_text(json.dumps({**where, "quick": options.quick}, indent=1) + "\n")
    write_tables(frame, groups, report, where, folder)
    write_plots(frame, folder)
    print(f"{folder / 'perf.md'}")


def _peers() -> dict[str, str]:
    try:
        return {PACKAGE: version(PACKAGE)}
    except PackageNotFoundError:
        return {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmark.perf", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small shapes and few rounds, to see that it works")
    parser.add_argument("--rounds", type=int, default=0, help="at least so many rounds, however long they take")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1 (default: auto)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"folder of the results (default: {OUTPUT})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
