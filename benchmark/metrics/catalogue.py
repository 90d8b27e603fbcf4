"""What every metric is called, how it is printed, which way is better and where it is shown; the reports read it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from methods.core.usage import UsageError, did_you_mean

Direction = Literal["lower", "higher", "none"]
Group = Literal[
    "usage",
    "training usage",
    "training hits",
    "rate",
    "features",
    "agreement",
    "perceptual",
    "error",
    "speech",
    "latents",
]
"""What is shown side by side; the tables and plots of `benchmark.report.quantities` are made of groups."""
MIN_PIXELS = 64
"""An image with a shorter side is enlarged to it before a network sees it."""
_FORMAT = re.compile(r",?(d|\.\d+[f%])")


@dataclass(frozen=True)
class Metric:
    """How one metric is shown.

    ``direction``: which way is better; ``none`` where neither is, and such a metric is never marked
    best. ``format``: a Python format specification; ``.1%`` prints a share as a percentage. ``unit``: ``codes`` is not
    printed.

    ``group``: where it is shown, in the order in which metrics are registered; None: only where a table or plot names
    it. ``order``: precedes that order. ``unless``: another metric, beside which the main table leaves this one out.
    ``least_pixels``: of the shorter side of images that it suits. ``lowest``: what no interval reaches below.
    """

    label: str
    description: str
    format: str = ".3f"
    direction: Direction = "none"
    unit: str = ""
    group: Group | None = None
    order: str = ""
    unless: str | None = None
    least_pixels: int = 0
    lowest: float | None = None


METRICS: dict[str, Metric] = {
    "usage": Metric("Usage", "share of codewords hit at least once on the whole test set", ".1%", group="usage"),
    "usage_effective": Metric(
        "Effective usage", "share of codewords hit at least once and at least N/(100 K) times", ".1%"
    ),
    "perplexity": Metric(
        "Perplexity",
        "exp of the entropy of code frequencies on the whole test set",
        ",.1f",
        unit="codes",
        group="usage",
        lowest=1,
    ),
    "perplexity_ratio": Metric("Perplexity / K", "perplexity over the codebook size", ".1%"),
    "dead": Metric("Dead", "codewords never hit on the whole test set", ",d", unit="codes"),
    "tokens": Metric("N", "codes counted on the whole test set", ",d", unit="codes"),
    "ceiling": Metric("Ceiling", "expected usage of a uniform source with as many tokens: 1 − (1 − 1/K)^N", ".1%"),
    "usage_train": Metric(
        "Usage (training)", "share of codewords hit at least once on all training items", ".1%", group="training usage"
    ),
    "usage_tenth_train": Metric(
        "Used at a tenth (training)",
        "share of codewords that draw at least a tenth of a uniform share of the training tokens; withheld where that "
        "tenth is below 2 tokens",
        ".1%",
        group="training usage",
    ),
    "hit_once_train": Metric(
        "Hit once (training)",
        "share of codewords hit exactly once by the training tokens",
        ".1%",
        group="training hits",
    ),
    "perplexity_train": Metric(
        "Perplexity (training)", "exp of the entropy of code frequencies on all training items", ",.1f", unit="codes"
    ),
    "tokens_train": Metric("N (training)", "codes counted on all training items", ",d", unit="codes"),
    "ceiling_train": Metric(
        "Ceiling (training)", "expected usage of a uniform source with as many tokens as all training items have", ".1%"
    ),
    "distinct": Metric("Distinct codes", "different codes on the whole test set", ",d", unit="codes"),
    "distinct_train": Metric("Distinct (training)", "different codes on all training items", ",d", unit="codes"),
    "entropy_bits": Metric("Entropy", "entropy of code frequencies", ".2f", unit="bits"),
    "bits_per_position": Metric("Bits", "log2 of the codebook size", ".1f", unit="bits/position"),
    "effective_rank": Metric(
        "Effective rank", "exp of the entropy of the codewords' normalised singular values", ".1f"
    ),
    "effective_rank_used": Metric("Effective rank, used", "effective rank of the codewords that were hit", ".1f"),
    "usage_unmapped": Metric("Usage of C", "share of the codewords before the map that latents are nearest to", ".1%"),
    "perplexity_unmapped": Metric(
        "Perplexity of C", "perplexity of the codewords before the map, by nearest latents", ",.1f", unit="codes"
    ),
    "effective_rank_unmapped": Metric("Effective rank of C", "effective rank of the codewords before the map", ".1f"),
    "quantization_error": Metric(
        "Quantization error",
        "squared error of the quantized latents over the latents' variance",
        ".4f",
        "lower",
        group="latents",
    ),
    "squared_error": Metric(
        "Squared error",
        "squared error summed over the latent dimension, mean over latents",
        ".4f",
        "lower",
        group="error",
        unless="psnr",
    ),
    "mse": Metric(
        "MSE",
        "squared error a value, images in [-1, 1], reconstructions not clamped",
        ".5f",
        "lower",
        group="error",
        unless="psnr",
    ),
    "psnr": Metric("PSNR", "peak signal-to-noise ratio, averaged over images", ".2f", "higher", "dB", group="error"),
    "ssim": Metric(
        "SSIM",
        "structural similarity, 11×11 Gaussian window (σ 1.5), averaged over images",
        ".3f",
        "higher",
        group="error",
    ),
    "psnr_of_batches": Metric(
        "PSNR of 64",
        "peak signal-to-noise ratio of the mean error of 64 images in their order, averaged over such batches; of "
        "8-bit values rounded down, as SimVQ's evaluation.py",
        ".2f",
        "higher",
        "dB",
    ),
    "ssim_uniform": Metric(
        "SSIM, uniform 7",
        "structural similarity with a uniform window of 7×7 inside the image, of 8-bit values rounded down, as SimVQ's "
        "evaluation.py",
        ".3f",
        "higher",
    ),
    "rfid": Metric(
        "rFID",
        "Fréchet distance of Inception-v3 features, FID weights",
        ".2f",
        "lower",
        group="features",
        order="inception",
    ),
    "class_agreement": Metric(
        "Class agreement",
        "share of images whose reconstruction a classifier of Fashion-MNIST puts into the same class as the original",
        ".1%",
        "higher",
        group="agreement",
    ),
    "validation_error": Metric(
        "Validation error", "the objective's error a value on the whole validation set", ".4f", "lower"
    ),
    "bandwidth_kbps": Metric("Bandwidth", "bits of all codes a second", ".2f", unit="kbit/s", group="rate"),
    "entropy_rate_bps": Metric(
        "Entropy rate", "entropy of code frequencies a second", ",.0f", unit="bit/s", group="rate"
    ),
    "pesq": Metric(
        "PESQ", "wide-band PESQ at 16 kHz, mean opinion score, averaged over clips", ".2f", "higher", group="speech"
    ),
    "stoi": Metric(
        "STOI", "short-time objective intelligibility, averaged over clips", ".3f", "higher", group="speech"
    ),
    "mel_distance": Metric(
        "Mel distance",
        "mean absolute difference of natural log-mel spectra, windows of 256 to 2,048 samples",
        ".3f",
        "lower",
        group="speech",
    ),
    "si_sdr": Metric(
        "SI-SDR",
        "scale-invariant signal-to-distortion ratio, averaged over clips",
        ".2f",
        "higher",
        "dB",
        group="speech",
    ),
    "vuv_f1": Metric(
        "V/UV F1",
        "F1 of voiced frames (CREPE tiny, periodicity 0.21), averaged over clips",
        ".3f",
        "higher",
        group="speech",
    ),
    "f0_error": Metric(
        "F0 error",
        "root mean square over frames voiced in both, averaged over clips",
        ".1f",
        "lower",
        "cents",
        group="speech",
    ),
    "dnsmos": Metric(
        "DNSMOS", "opinion score of speech guessed by DNSMOS P.835, overall", ".2f", "higher", group="speech"
    ),
    "distillmos": Metric(
        "DistillMOS", "opinion score of speech guessed by DistillMOS", ".2f", "higher", group="speech"
    ),
    "utmos": Metric("UTMOS", "opinion score of speech guessed by UTMOS", ".2f", "higher", group="speech"),
    "n_clips": Metric("Clips", "number of test clips", ",d"),
    "seconds": Metric("Seconds", "length of all test clips", ",.0f", unit="s"),
    "n_images": Metric("Images", "number of test images", ",d"),
    "photographs": Metric("Photographs", "from which the test images are cut", ",d"),
    "psnr_halfwidth": Metric(
        "PSNR ± (photographs)",
        "half of the 95 % interval of PSNR over photographs (bootstrap of photographs)",
        ".2f",
        unit="dB",
    ),
}
"""The metrics with a fixed name; `describe` knows the others too."""

_NETWORKS = {"alex": "AlexNet", "vgg": "VGG16"}
_EXTRACTORS = {
    "inception": "Inception-v3",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite2": "EfficientNet-Lite2",
    "fashion_classifier": "Fashion-MNIST classifier",
}
_MADE_FOR_LARGE = ("efficientnet_lite0", "efficientnet_lite2")
"""Where images entered enlarged, these count invisible noise for more than a lost class: `make sensitivity`."""
_LEVEL = re.compile(r"(?P<base>.+)_level_(?P<level>\d+)")
UNDEFINED = "_undefined"
"""Ends the name of a number of items that a mean leaves out, as its metric is undefined on them."""
_UNDEFINED = re.compile(rf"(?P<base>.+){UNDEFINED}")
_LPIPS = re.compile(r"lpips_(?P<net>[a-z0-9]+)(?:_(?P<px>\d+)px)?")
_DRAWN = re.compile(r"(?P<of>samples|guided|reconstructions|single|uniform|train)_(?P<base>rfid|(fd|kid)_\w+)")
_FEATURES = re.compile(r"(?P<kind>fd|kid)_(?P<extractor>\w+)")


_AGAINST = {
    "samples": ("samples", "images drawn from the prior"),
    "guided": ("guided", "guided samples"),
    "reconstructions": ("reconstructions", "the tokenizer's reconstructions of the test images"),
    "single": ("single codes", "images of codes drawn one by one from their frequencies"),
    "uniform": ("uniform codes", "images of uniform codes"),
    "train": ("training images", "as many training images"),
}
"""What stands against the test images in a distance of samples and of its anchors."""


def register(name: str, metric: Metric) -> None:
    """Make a metric known to every table and plot; what computes it is registered with `benchmark.metrics`.

    Raises:
        UsageError: the name is no word, or another metric has it; or the format can't print a number.
    """
    if not name.isidentifier():
        raise UsageError(f"the name of a metric must be a word, not `{name}`")
    if not _FORMAT.fullmatch(metric.format):
        raise UsageError(f"metric `{name}`: the format `{metric.format}` is not like `.3f`, `.1%` or `,d`")
    if find(name) not in (None, metric):
        raise UsageError(f"two metrics are called `{name}`; rename one")
    METRICS[name] = metric


def describe(name: str) -> Metric:
    """The entry of a metric, those named after a network or a level included.

    Raises:
        UsageError: there is no such metric.
    """
    metric = find(name)
    if metric is None:
        raise UsageError(f"there is no metric `{name}`{did_you_mean(name, METRICS)}; there are: {', '.join(METRICS)}")
    return metric


def find(name: str) -> Metric | None:
    """As `describe`; None where there is no such metric."""
    if name in METRICS:
        return METRICS[name]
    if (match := _LEVEL.fullmatch(name)) and match["base"] in METRICS:
        base = METRICS[match["base"]]
        where = f"level {match['level']}"
        return replace(base, label=f"{base.label}, {where}", description=f"{base.description}, {where}", group=None)
    if (match := _UNDEFINED.fullmatch(name)) and match["base"] in METRICS:
        base = METRICS[match["base"]]
        items = "clips" if base.group == "speech" else "items"
        description = f"test {items} on which {base.label} is undefined, left out of its mean"
        return Metric(f"{base.label} undefined", description, ",d")
    if match := _LPIPS.fullmatch(name):
        return _lpips(match["net"], match["px"])
    if (match := _DRAWN.fullmatch(name)) and (drawn := find(match["base"])) is not None:
        what, text = _AGAINST[match["of"]]
        label = f"{drawn.label.replace('rFID', 'FID')}, {what}"
        return replace(
            drawn, label=label, description=f"{drawn.description}, of {text} and the test images", group=None
        )
    if match := _FEATURES.fullmatch(name):
        return _distance(match["kind"], match["extractor"])
    return None


def in_order(names: Iterable[str], groups: Collection[Group]) -> list[str]:
    """Those of ``names`` that are metrics of ``groups``: by group, then as the catalogue has them."""
    registered = {name: number for number, name in enumerate(METRICS)}
    position = {group: number for number, group in enumerate(groups)}
    found = {name: metric for name in names if (metric := find(name)) is not None and metric.group in position}

    def place(name: str) -> tuple[int, str, int, str]:
        group = found[name].group
        assert group is not None
        return position[group], found[name].order, registered.get(name, len(registered)), name

    return sorted(found, key=place)


def _lpips(net: str, enlarged: str | None) -> Metric:
    shown = _NETWORKS.get(net, net)
    size = f", images enlarged to {enlarged} px" if enlarged else ""
    label = f"LPIPS ({shown}, {enlarged} px)" if enlarged else f"LPIPS ({shown})"
    usual = "lpips_alex" + (f"_{enlarged}px" if enlarged else "")
    return Metric(
        label,
        f"learned perceptual distance of {shown} features (v0.1){size}",
        ".3f",
        "lower",
        group="perceptual",
        unless=None if net == "alex" else usual,
    )


def _distance(kind: str, extractor: str) -> Metric:
    """Fréchet or kernel distance, side by side for an extractor."""
    shown = _EXTRACTORS.get(extractor, extractor)
    if kind == "fd":
        metric = Metric(f"FD ({shown})", f"Fréchet distance of {shown} features", ".2f", "lower")
    else:
        description = f"unbiased squared kernel distance of {shown} features, cubic kernel"
        metric = Metric(f"KID ({shown})", description, ".4f", "lower")
    suits = MIN_PIXELS if extractor in _MADE_FOR_LARGE else 0
    return replace(metric, group="features", order=f"{extractor} {kind}", least_pixels=suits)
