"""Which quantities a results folder has, in the order in which tables and plots show them."""

import re
from collections.abc import Callable

from benchmark.report.columns import PRICE, Column, column
from benchmark.report.frame import Results
from benchmark.report.progress import GAIN

_FRECHET = re.compile(r"rfid|fd_\w+|kid_\w+")
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
    quality = (*_frechet(results), *lpips, *errors, *_SPEECH, *_undefined(results), "quantization_error")
    return [*named(*_RATES, *quality, GAIN)(results), *price_columns(results)]


def distortion_columns(results: Results) -> list[Column]:
    """Everything that says how far reconstructions or latents are from what they should be."""
    names = (
        "squared_error",
        "mse",
        "psnr",
        "ssim",
        *_matching(results, _LPIPS),
        *_frechet(results),
        *_SPEECH,
        "quantization_error",
    )
    return named(*names)(results)


def _undefined(results: Results) -> list[str]:
    """Numbers of clips on which a metric is undefined, where there are any."""
    names = [f"{name}_undefined" for name in _SPEECH]
    return [name for name in names if results.has(name) and results.ok[name].max() > 0]


def _frechet(results: Results) -> list[str]:
    """Fréchet distances, each with the kernel distance of the same features behind it."""

    def place(name: str) -> tuple[str, bool]:
        return "inception" if name == "rfid" else name.partition("_")[2], name.startswith("kid_")

    return sorted(_matching(results, _FRECHET), key=place)


def _matching(results: Results, pattern: re.Pattern[str]) -> list[str]:
    return sorted(name for name in results.runs.columns if pattern.fullmatch(str(name)))
