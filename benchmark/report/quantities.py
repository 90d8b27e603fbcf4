"""Which quantities a results folder has, in the order in which tables and plots show them."""

import re
from collections.abc import Callable
from typing import Any

from benchmark.metrics.pixels import MIN_PIXELS
from benchmark.report.columns import PRICE, Column, column
from benchmark.report.frame import Results
from benchmark.report.progress import GAIN

_FRECHET = re.compile(r"rfid|fd_\w+|kid_\w+")
_MADE_FOR_LARGE = ("fd_efficientnet_lite0", "kid_efficientnet_lite0")
"""Where images entered enlarged, these count invisible noise for more than a lost class: `make sensitivity`."""
_PIXELS = {"fashion_mnist": 28, "cifar10": 32, "photos": 32}
"""Sides of images in records that don't say what they measured."""
_LPIPS = re.compile(r"lpips_\w+")
_SPEECH = ("pesq", "stoi", "mel_distance", "si_sdr", "vuv_f1", "f0_error", "dnsmos", "distillmos", "utmos")
_RATES = ("bandwidth_kbps", "entropy_rate_bps")
USAGE_TRAIN = ("usage_train", "usage_tenth_train")
Choice = Callable[[Results], list[Column]]


def named(*names: str) -> Choice:
    """The choice of these quantities, those that were measured."""
    return lambda results: [column(name) for name in names if results.has(name)]


def price_columns(results: Results) -> list[Column]:
    """Time and memory; the time of a start from data where it is worth a second."""
    starts = results.has("start_seconds") and results.ok["start_seconds"].max() >= 1
    return [column for column in named(*PRICE)(results) if starts or column.name != "start_seconds"]


def code_columns(results: Results) -> list[Column]:
    """Of the main table: usage beside perplexity, on the test set and, where it was measured, on the training set."""
    return [column("usage"), column("perplexity"), *named(*USAGE_TRAIN, "hit_once_train")(results)]


def quality_columns(results: Results) -> list[Column]:
    """Of the main table beside the codes: rates, quality, how far from done, price; LPIPS of one network."""
    lpips = _matching(results, _LPIPS)[:1]
    errors = ("psnr", "ssim") if results.has("psnr") else ("squared_error", "mse")
    quality = (
        *_frechet(results),
        "class_agreement",
        *lpips,
        *errors,
        *_SPEECH,
        *_undefined(results),
        "quantization_error",
    )
    return [*named(*_RATES, *quality, GAIN)(results), *price_columns(results)]


def distortion_columns(results: Results) -> list[Column]:
    """Everything that says how far reconstructions or latents are from what they should be, and may rank."""
    names = (
        "squared_error",
        "mse",
        "psnr",
        "ssim",
        *_matching(results, _LPIPS),
        *_frechet(results),
        "class_agreement",
        *_SPEECH,
        "quantization_error",
    )
    return named(*names)(results)


def _undefined(results: Results) -> list[str]:
    """Numbers of clips on which a metric is undefined, where there are any."""
    names = [f"{name}_undefined" for name in _SPEECH]
    return [name for name in names if results.has(name) and results.ok[name].max() > 0]


def _frechet(results: Results) -> list[str]:
    """Fréchet distances that suit the images, each with the kernel distance of the same features behind it."""

    def place(name: str) -> tuple[str, bool]:
        return "inception" if name == "rfid" else name.partition("_")[2], name.startswith("kid_")

    unfit = summary_only(results)
    return sorted((name for name in _matching(results, _FRECHET) if name not in unfit), key=place)


def summary_only(results: Results) -> list[str]:
    """Quantities for which images had to be enlarged: neither headlined nor ranked, shown where a table names them."""
    records = [results.records[key] for key in results.ok["key"].unique()]
    small = any((side := _shorter_side(record)) is not None and side < MIN_PIXELS for record in records)
    return [name for name in _MADE_FOR_LARGE if small and results.has(name)]


def _shorter_side(record: dict[str, Any]) -> int | None:
    """Of the images of a run, in pixels; None where its record does not tell."""
    measured = record["details"].get(_MADE_FOR_LARGE[0], {})
    if "image_size" in measured:
        return min(map(int, measured["image_size"].split("×")))
    dataset = record["config"].get("dataset", {})
    return dataset.get("size", _PIXELS.get(dataset.get("name")))


def _matching(results: Results, pattern: re.Pattern[str]) -> list[str]:
    return sorted(name for name in results.runs.columns if pattern.fullmatch(str(name)))
