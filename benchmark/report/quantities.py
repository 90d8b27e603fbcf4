"""Which quantities a results folder has, in the order in which tables and plots show them."""

from collections.abc import Callable
from typing import Any

from benchmark.metrics.catalogue import METRICS, UNDEFINED, Group, describe, find, in_order
from benchmark.report.columns import PRICE, Column, column
from benchmark.report.frame import Results
from benchmark.report.progress import GAIN, PROGRESS
from benchmark.report.rates import RATES

USAGE: tuple[Group, ...] = ("usage",)
TRAINING_USAGE: tuple[Group, ...] = ("training usage",)
_TRAINING: tuple[Group, ...] = (*TRAINING_USAGE, "training hits")
_QUALITY: tuple[Group, ...] = ("rate", "features", "agreement", "perceptual", "error", "speech")
_DISTORTION: tuple[Group, ...] = ("error", "perceptual", "features", "agreement", "speech", "latents")
_LATENTS: tuple[Group, ...] = ("latents",)
_PIXELS = {"fashion_mnist": 28, "cifar10": 32, "photos": 32}
"""Sides of images in records that don't say what they measured."""
Choice = Callable[[Results], list[Column]]


def named(*names: str) -> Choice:
    """The choice of these quantities, those that were measured."""
    return lambda results: [column(name) for name in names if results.has(name)]


def measured(results: Results) -> list[str]:
    """What was measured and a table may name: metrics, but not of single levels, then price and progress."""

    def is_told(name: str) -> bool:
        if name in METRICS or name in (*PRICE, *PROGRESS, *RATES):
            return True
        metric = find(name)
        return metric is not None and metric.group is not None

    names = dict.fromkeys([*METRICS, *map(str, results.ok.columns)])
    return [name for name in names if is_told(name) and results.has(name)]


def grouped(groups: tuple[Group, ...]) -> Choice:
    """The choice of the metrics of ``groups`` that were measured."""
    return lambda results: [column(name) for name in _measured(results, groups)]


def price_columns(results: Results) -> list[Column]:
    """Time and memory; the time of a start from data where it is worth a second."""
    starts = results.has("start_seconds") and results.ok["start_seconds"].max() >= 1
    return [column for column in named(*PRICE)(results) if starts or column.name != "start_seconds"]


def code_columns(results: Results) -> list[Column]:
    """Of the main table: usage beside perplexity, on the test set and, where it was measured, on the training set."""
    return [*map(column, in_order(METRICS, USAGE)), *grouped(_TRAINING)(results)]


def quality_columns(results: Results) -> list[Column]:
    """Of the main table beside the codes: rates, quality, how far from done, price; one metric of those alike."""
    names = [*_brief(results, _QUALITY), *_undefined(results), *_brief(results, _LATENTS), GAIN]
    if "psnr" in names:
        names.insert(names.index("psnr") + 1, "psnr_halfwidth")  # where test images are crops of fewer photographs
    return [*named(*names)(results), *price_columns(results)]


def distortion_columns(results: Results) -> list[Column]:
    """Everything that says how far reconstructions or latents are from what they should be, and may rank."""
    return grouped(_DISTORTION)(results)


def summary_only(results: Results) -> list[str]:
    """Metrics for which images had to be enlarged: neither headlined nor ranked, shown where a table names them."""
    metrics = {name: metric for name in results.ok.columns if (metric := find(name)) is not None}
    choosy = {name: metric.least_pixels for name, metric in metrics.items() if metric.least_pixels}
    records = [results.records[key] for key in results.ok["key"].unique()] if choosy else []
    sides = [side for record in records if (side := _shorter_side(record, list(choosy))) is not None]
    return [name for name, least in choosy.items() if results.has(name) and any(side < least for side in sides)]


def _measured(results: Results, groups: tuple[Group, ...]) -> list[str]:
    left_out = summary_only(results)
    return [name for name in in_order(results.ok.columns, groups) if results.has(name) and name not in left_out]


def _brief(results: Results, groups: tuple[Group, ...]) -> list[str]:
    """Without those beside which another says the same."""
    names = _measured(results, groups)
    return [name for name in names if (other := describe(name).unless) is None or not results.has(other)]


def _undefined(results: Results) -> list[str]:
    """Numbers of items on which a metric is undefined, which may be all, where there are any."""
    of = [name.removesuffix(UNDEFINED) for name in results.ok.columns if name.endswith(UNDEFINED)]
    counts = [name + UNDEFINED for name in in_order(of, _QUALITY)]
    return [name for name in counts if results.has(name) and results.ok[name].max() > 0]


def _shorter_side(record: dict[str, Any], metrics: list[str]) -> int | None:
    """Of the images that ``metrics`` saw in a run, in pixels; None where its record does not tell."""
    for name in metrics:
        measured = record["details"].get(name, {})
        if "image_size" in measured:
            return min(map(int, measured["image_size"].split("×")))
    dataset = record["config"].get("dataset", {})
    return dataset.get("size", _PIXELS.get(dataset.get("name")))
