"""What every metric is called, how it is printed and which way is better; the reports read it."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from methods.core.usage import UsageError, did_you_mean

Direction = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class Metric:
    """How one metric is shown.

    ``direction``: which way is better; ``none`` where neither is, and such a metric is never marked
    best. ``format``: a Python format specification; ``.1%`` prints a share as a percentage.
    """

    label: str
    description: str
    format: str = ".3f"
    direction: Direction = "none"
    unit: str = ""


METRICS: dict[str, Metric] = {
    "usage": Metric("Usage", "share of codewords hit at least once on the whole test set", ".1%"),
    "usage_effective": Metric(
        "Effective usage", "share of codewords hit at least once and at least N/(100 K) times", ".1%"
    ),
    "perplexity": Metric(
        "Perplexity", "exp of the entropy of code frequencies on the whole test set", ",.1f", unit="codes"
    ),
    "perplexity_ratio": Metric("Perplexity / K", "perplexity over the codebook size", ".1%"),
    "dead": Metric("Dead", "codewords never hit on the whole test set", ",d", unit="codes"),
    "tokens": Metric("N", "codes counted on the whole test set", ",d", unit="codes"),
    "ceiling": Metric("Ceiling", "expected usage of a uniform source with as many tokens: 1 − (1 − 1/K)^N", ".1%"),
    "usage_train": Metric("Usage (training)", "share of codewords hit at least once on all training items", ".1%"),
    "usage_tenth_train": Metric(
        "Used at a tenth (training)",
        "share of codewords that draw at least a tenth of a uniform share of the training tokens; withheld where that "
        "tenth is below 2 tokens",
        ".1%",
    ),
    "hit_once_train": Metric(
        "Hit once (training)", "share of codewords hit exactly once by the training tokens", ".1%"
    ),
    "perplexity_train": Metric(
        "Perplexity (training)", "exp of the entropy of code frequencies on all training items", ",.1f", unit="codes"
    ),
    "tokens_train": Metric("N (training)", "codes counted on all training items", ",d", unit="codes"),
    "ceiling_train": Metric(
        "Ceiling (training)", "expected usage of a uniform source with as many tokens as all training items have", ".1%"
    ),
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
        "Quantization error", "squared error of the quantized latents over the latents' variance", ".4f", "lower"
    ),
    "squared_error": Metric(
        "Squared error", "squared error summed over the latent dimension, mean over latents", ".4f", "lower"
    ),
    "mse": Metric("MSE", "squared error a value, images in [-1, 1], reconstructions not clamped", ".5f", "lower"),
    "psnr": Metric("PSNR", "peak signal-to-noise ratio, averaged over images", ".2f", "higher", "dB"),
    "ssim": Metric(
        "SSIM", "structural similarity, 11×11 Gaussian window (σ 1.5), averaged over images", ".3f", "higher"
    ),
    "rfid": Metric("rFID", "Fréchet distance of Inception-v3 features, FID weights", ".2f", "lower"),
    "class_agreement": Metric(
        "Class agreement",
        "share of images whose reconstruction a classifier of Fashion-MNIST puts into the same class as the original",
        ".1%",
        "higher",
    ),
    "validation_error": Metric(
        "Validation error", "the objective's error a value on the whole validation set", ".4f", "lower"
    ),
    "bandwidth_kbps": Metric("Bandwidth", "bits of all codes a second", ".2f", unit="kbit/s"),
    "entropy_rate_bps": Metric("Entropy rate", "entropy of code frequencies a second", ",.0f", unit="bit/s"),
    "pesq": Metric("PESQ", "wide-band PESQ at 16 kHz, mean opinion score, averaged over clips", ".2f", "higher"),
    "stoi": Metric("STOI", "short-time objective intelligibility, averaged over clips", ".3f", "higher"),
    "si_sdr": Metric(
        "SI-SDR", "scale-invariant signal-to-distortion ratio, averaged over clips", ".2f", "higher", "dB"
    ),
    "mel_distance": Metric(
        "Mel distance",
        "mean absolute difference of natural log-mel spectra, windows of 256 to 2,048 samples",
        ".3f",
        "lower",
    ),
    "vuv_f1": Metric(
        "V/UV F1", "F1 of voiced frames (CREPE tiny, periodicity 0.21), averaged over clips", ".3f", "higher"
    ),
    "f0_error": Metric(
        "F0 error", "root mean square over frames voiced in both, averaged over clips", ".1f", "lower", "cents"
    ),
    "dnsmos": Metric("DNSMOS", "opinion score of speech guessed by DNSMOS P.835, overall", ".2f", "higher"),
    "distillmos": Metric("DistillMOS", "opinion score of speech guessed by DistillMOS", ".2f", "higher"),
    "utmos": Metric("UTMOS", "opinion score of speech guessed by UTMOS", ".2f", "higher"),
    "n_clips": Metric("Clips", "number of test clips", ",d"),
    "seconds": Metric("Seconds", "length of all test clips", ",.0f", unit="s"),
    "n_images": Metric("Images", "number of test images", ",d"),
}
"""The metrics with a fixed name; `describe` knows the others too."""

_NETWORKS = {"alex": "AlexNet", "vgg": "VGG16"}
_EXTRACTORS = {
    "inception": "Inception-v3",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "fashion_classifier": "Fashion-MNIST classifier",
}
_LEVEL = re.compile(r"(?P<base>.+)_level_(?P<level>\d+)")
_UNDEFINED = re.compile(r"(?P<base>.+)_undefined")
_LPIPS = re.compile(r"lpips_(?P<net>[a-z0-9]+)(?:_(?P<px>\d+)px)?")
_FRECHET = re.compile(r"fd_(?P<extractor>\w+)")
_KERNEL = re.compile(r"kid_(?P<extractor>\w+)")


def describe(name: str) -> Metric:
    """The entry of a metric, those named after a network or a level included.

    Raises:
        UsageError: there is no such metric.
    """
    if name in METRICS:
        return METRICS[name]
    if (match := _LEVEL.fullmatch(name)) and match["base"] in METRICS:
        base = METRICS[match["base"]]
        where = f"level {match['level']}"
        return replace(base, label=f"{base.label}, {where}", description=f"{base.description}, {where}")
    if (match := _UNDEFINED.fullmatch(name)) and match["base"] in METRICS:
        label = METRICS[match["base"]].label
        return Metric(f"{label} undefined", f"test clips on which {label} is undefined, left out of its mean", ",d")
    if match := _LPIPS.fullmatch(name):
        return _lpips(_NETWORKS.get(match["net"], match["net"]), match["px"])
    if match := _FRECHET.fullmatch(name):
        extractor = _EXTRACTORS.get(match["extractor"], match["extractor"])
        return Metric(f"FD ({extractor})", f"Fréchet distance of {extractor} features", ".2f", "lower")
    if match := _KERNEL.fullmatch(name):
        extractor = _EXTRACTORS.get(match["extractor"], match["extractor"])
        description = f"unbiased squared kernel distance of {extractor} features, cubic kernel"
        return Metric(f"KID ({extractor})", description, ".4f", "lower")
    raise UsageError(f"there is no metric `{name}`{did_you_mean(name, METRICS)}; there are: {', '.join(METRICS)}")


def _lpips(net: str, enlarged: str | None) -> Metric:
    size = f", images enlarged to {enlarged} px" if enlarged else ""
    label = f"LPIPS ({net}, {enlarged} px)" if enlarged else f"LPIPS ({net})"
    return Metric(label, f"learned perceptual distance of {net} features (v0.1){size}", ".3f", "lower")
