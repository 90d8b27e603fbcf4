"""`python -m benchmark measure`: the arguments, what is printed, where the record goes."""

import argparse
import tempfile
from pathlib import Path

from benchmark.elsewhere.keeping import add_arm, check_place, write_measured
from benchmark.elsewhere.measuring import Measured, measure
from benchmark.hints import command
from benchmark.machine import find_device
from benchmark.metrics.catalogue import UNDEFINED, describe
from benchmark.records.store import folder_of_suite
from methods.core.usage import UsageError

ALONE = "measured"
"""The folder of results for what stands beside no suite."""


def run(options: argparse.Namespace) -> int:
    """Measure codes, reconstructions and latents that are there already; nothing is trained."""
    folder = folder_of_suite(Path(options.results), ALONE if options.suite is None else options.suite)
    if options.suite is not None:
        check_place(folder, options.arm, options.at)
    elif options.at:
        raise UsageError("--at says where an arm stands in a suite, which --suite names")
    with tempfile.TemporaryDirectory() as samples:
        measured = measure(
            options.codes,
            options.codebook_size,
            codewords=options.codewords,
            latents=options.latents,
            originals=options.originals,
            reconstructions=options.reconstructions,
            sample_rate=options.sample_rate,
            value_range=options.value_range,
            options=options.set,
            device=find_device(options.device),
            samples=Path(samples),
        )
        key = write_measured(measured, options.arm, options.seed, options.at, folder, Path(samples))
    print(_text(measured))
    print(f"\n{folder / 'runs' / key}")
    if options.suite is not None:
        add_arm(folder, options.arm, measured.codebook_size, options.seed, options.at, key)
        print(f"`{options.arm}` is an arm of {folder.name} now, shown by: {command('tables', folder.name, options)}")
    return 0


def _text(measured: Measured) -> str:
    """A line a metric that has a value, and one where items were left out; what was withheld, and why, below."""
    lines = []
    for name, value in measured.metrics.items():
        if value is not None and (value or not name.endswith(UNDEFINED)):
            metric = describe(name)
            unit = f" {metric.unit}" if metric.unit and metric.unit != "codes" else ""
            lines.append(f"{metric.label:32s}{format(value, metric.format)}{unit}")
    withheld = [
        f"{describe(name).label} withheld: {detail['withheld']}"
        for name, detail in measured.details.items()
        if isinstance(detail, dict) and detail.get("withheld")
    ]
    return "\n".join([*lines, *withheld])
