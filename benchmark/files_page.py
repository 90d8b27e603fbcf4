"""What the files of a results folder hold: ``python -m benchmark.files_page`` prints ``docs/files.md``."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from benchmark.metrics.catalogue import METRICS, Metric
from benchmark.records.plan import Arm, Cell, PlanFile, PriorCell
from benchmark.records.record import STATUSES, Record
from benchmark.report.columns import PRICE
from benchmark.report.progress import PROGRESS

_HEADING = f"""\
# The files of a results folder

Written by `python -m benchmark.files_page` from the code. `results/SUITE/` holds `plan.json` (what should be there),
`runs/KEY/` (one folder a run), `summary.csv`, `tables/`, `plots/` and, where the suite was tuned, `tuning.csv`. From
Python: [python.ipynb](python.ipynb).

A run's folder holds `record.json`, `history.csv` (its curves), `counts.npz` (how often each code was chosen on the test
set: int64 `level_1` …) and `counts_train.npz` where training items were counted, samples (`samples.png` or WAV files),
`snapshots.npz` of two-dimensional codebooks, `weights.pt` where it keeps them. That of a prior begins with `prior_`;
it holds `generated.png` (its first samples, a row a class) and `nearest.png` (samples above the training images nearest
to them). Only a run with a whole record is finished.

Shares lie in [0, 1]. An empty cell (NaN, `null`) is a number that does not exist or was not measured: the usage of a
method without codes, a metric that is withheld, everything of a run that did not end well.

A run ends as one of {", ".join(f"`{status}`" for status in STATUSES)}.
"""
_SUMMARY = {
    "key, arm, method, codebook_size, level_sizes, seed": "what the run is; `level_sizes` as `256x256`",
    "the suite's axes": "by their dotted names, where it has some",
    "steps, schedule, learning_rate": "of its training",
    "planned": "1 where the suite has it as it is now, 0 where it is of another protocol and in no table",
    "status, reason": "how it ended, and why not well",
}
_HISTORY = {
    "step": "optimiser steps done; rows come at about 25 steps spread over the run, and at the first",
    "seconds": "of training until then, probes left out",
    "learning_rate": "at that step",
    "loss, reconstruction, quantizer": "of the batch: what was minimised, and its two parts",
    "the method's own terms": "of the batch, by the names that its `log` has",
    "validation_error, usage, perplexity": "of a part of the validation set, in evaluation mode",
    "validation_nll": "of a prior: nats a position of the codes of a part of the validation set",
}


def files_page() -> str:
    """The page: each file with its fields or columns."""
    numbers = {**_named(PROGRESS), **_named(METRICS), **_named(PRICE)}
    return "\n".join(
        [
            _HEADING,
            _table("record.json", "field", _fields(Record)),
            _table("history.csv", "column", _HISTORY),
            _table("summary.csv", "column", {**_SUMMARY, **numbers, **_FAMILIES}),
            _table("plan.json", "field", _fields(PlanFile)),
            _table("plan.json: an arm", "field", _fields(Arm)),
            _table("plan.json: a cell", "field", _fields(Cell)),
            _table("plan.json: a prior", "field", _fields(PriorCell)),
        ]
    )


_FAMILIES = {
    "steps_per_second, quantizer_share": "of training; share of a step's time that the quantizer took",
    "evaluate_seconds, total_seconds": "wall-clock time; in total with the training before a stop",
    "…_level_1, …_level_2": "a metric of codes, of one level of a residual or product quantizer",
    "lpips_alex, lpips_vgg_64px": "learned perceptual distance by network, and the size to which images were enlarged",
    "fd_NETWORK, kid_NETWORK": "Fréchet and kernel distance of a network's features",
    "samples_fd_NETWORK, train_kid_NETWORK": "of a prior: the same of samples, `guided` ones, reconstructions, "
    "single or uniform codes, or training images",
    "…_undefined": "items left out of a mean because the metric is undefined on them",
}


def _named(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """What each is, with unit and direction."""
    better = {"lower": "lower is better", "higher": "higher is better", "none": ""}
    found = {}
    for name, metric in metrics.items():
        unit = f"in {metric.unit}" if metric.unit else ""
        found[name] = "; ".join(filter(None, [metric.description, unit, better[metric.direction]]))
    return found


def _fields(model: type[BaseModel]) -> dict[str, str]:
    return {field.alias or name: field.description or "" for name, field in model.model_fields.items()}


def _table(title: str, heading: str, rows: Mapping[str, str]) -> str:
    lines = [f"| {_code(name)} | {text.replace('|', chr(92) + '|')} |" for name, text in rows.items()]
    return "\n".join([f"## {title}\n", f"| {heading} | what it is |", "| --- | --- |", *lines, ""])


def _code(names: str) -> str:
    """Names as code; words that stand for several are left as they are."""
    parts: Iterable[str] = names.split(", ")
    return ", ".join(part if " " in part else f"`{part}`" for part in parts)


if __name__ == "__main__":
    print(files_page(), end="")
