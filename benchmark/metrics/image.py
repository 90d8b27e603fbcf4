"""Metrics of reconstructed images: MSE, PSNR, SSIM, LPIPS, Fréchet and kernel distance, agreement in class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.components import check_each
from benchmark.metrics import metrics
from benchmark.metrics.base import ReconstructionMetrics, Value
from benchmark.metrics.catalogue import MIN_PIXELS
from benchmark.metrics.parts.distances import FeatureDistances
from benchmark.metrics.parts.features import EXTRACTORS
from benchmark.metrics.parts.perceptual import NETWORKS, load_lpips, lpips_file
from benchmark.metrics.parts.pixels import (
    SSIM_MIN_PIXELS,
    enlarge,
    in_chunks,
    network_size,
    psnr,
    save_sheet,
    ssim,
    to_bytes,
    to_colour,
)
from benchmark.records.files import checksum
from methods.core.usage import UsageError, check_choice
from methods.parts.processes import all_reduce

SAMPLES = 8


class ImageMetrics(ReconstructionMetrics):
    """Metrics of images ``[B, C, H, W]`` in [-1, 1], grey (C = 1) or colour (C = 3), averaged over images.

    ``mse`` is the squared error a value in the model's own units, of the reconstructions as they
    are. Everything else sees them clamped to [-1, 1], which is what could be shown. LPIPS and the
    features see a grey image repeated to three channels, and an image with a side under 64 pixels
    enlarged to 64, in which case LPIPS's column ends in ``_64px``. The features see images rounded to 8 bits.

    Args:
        features: extractor of the Fréchet and kernel distance and, if a classifier, of the class; None for none.
        lpips: networks of LPIPS, out of ``alex`` and ``vgg``.
        item_shape: ``(C, H, W)``.
        device: where the images are.
        originals_key: hash of the originals in their order, under which their features are kept.

    Raises:
        UsageError: weights that can't be had, images that are neither grey nor colour or that the extractor can't see.
    """

    def __init__(
        self,
        features: str | None,
        lpips: Sequence[str],
        item_shape: tuple[int, ...],
        device: torch.device,
        originals_key: str,
    ) -> None:
        channels, self._height, self._width = item_shape
        if channels not in (1, 3):
            raise UsageError(f"image metrics need grey or colour images, of 1 or 3 channels, not {channels}")
        enlarged = f"_{MIN_PIXELS}px" if min(self._height, self._width) < MIN_PIXELS else ""
        self._lpips = {network: load_lpips(network, device) for network in lpips}
        self._columns = {network: f"lpips_{network}{enlarged}" for network in lpips}
        self._distances = None
        if features is not None:
            extractor = EXTRACTORS[features](device)
            extractor.check_shape(tuple(item_shape))
            self._distances = FeatureDistances(extractor, originals_key, device)
        names = ["mse", "psnr", *(["ssim"] if self._has_ssim else []), *self._columns.values()]
        self._sums = {name: torch.zeros((), dtype=torch.float64, device=device) for name in names}
        self._images = 0

    @property
    def _has_ssim(self) -> bool:
        return min(self._height, self._width) >= SSIM_MIN_PIXELS

    @torch.inference_mode()
    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add originals and reconstructions ``[B, C, H, W]``."""
        assert originals.shape == reconstructions.shape, (originals.shape, reconstructions.shape)
        with torch.autocast(originals.device.type, enabled=False):
            originals, reconstructions = originals.float(), reconstructions.float()
            self._images += len(originals)
            self._add("mse", (reconstructions - originals).square().flatten(1).mean(1))
            shown = reconstructions.clamp(-1, 1)
            self._add("psnr", psnr(originals, shown))
            if self._has_ssim:
                self._add("ssim", in_chunks(ssim, originals, shown))
            colour = to_colour(originals), to_colour(shown)
            if self._lpips:
                large = [enlarge(images).contiguous(memory_format=torch.channels_last) for images in colour]
                for network, model in self._lpips.items():
                    self._add(self._columns[network], in_chunks(model, *large).flatten())
            if self._distances is not None:
                self._distances.update(*map(to_bytes, colour))

    def _add(self, name: str, values: Tensor) -> None:
        self._sums[name] += values.double().sum()

    @torch.inference_mode()
    def compute(self) -> dict[str, Value]:
        """``n_images``, ``mse``, ``psnr`` (dB), ``ssim``, ``lpips_*``, and what `FeatureDistances` computes."""
        assert self._images, "no images yet"
        images = int(all_reduce(self._sums["mse"].new_tensor(self._images)))
        measured: dict[str, Value] = {"n_images": images, "mse": None, "psnr": None, "ssim": None}
        measured |= {name: float(all_reduce(total.clone())) / images for name, total in self._sums.items()}
        return measured | (self._distances.compute() if self._distances is not None else {})

    def details(self) -> dict[str, Any]:
        """Per column: network, hash of its weights, size of its input; what is withheld and why."""
        size = "×".join(map(str, network_size(self._height, self._width)))
        found: dict[str, Any] = {
            column: {"weights_sha256": checksum(lpips_file(network))[:12], "input": size}
            for network, column in self._columns.items()
        }
        if not self._has_ssim:
            found["ssim"] = {"withheld": f"its window needs {SSIM_MIN_PIXELS} pixels a side"}
        if self._distances is not None:
            found |= self._distances.described(self._height, self._width)
        return found

    def save_samples(self, originals: Tensor, reconstructions: Tensor, folder: Path) -> None:
        """``samples.png``: up to eight originals in a row without gaps, their reconstructions below."""
        rows = [to_bytes(images[:SAMPLES].float().clamp(-1, 1)) for images in (originals, reconstructions)]
        save_sheet(rows, folder / "samples.png")


def _check(features: str | None, lpips: Sequence[str]) -> None:
    if features is not None:
        check_choice("`features`", features, tuple(EXTRACTORS))
    check_each("lpips", lpips, NETWORKS)


@metrics.register("image", check=_check, cheapest={"features": None, "lpips": []})
def image(
    *,
    features: str | None = "efficientnet_lite0",
    lpips: Sequence[str] = ("alex",),
    item_shape: tuple[int, ...],
    device: torch.device,
    originals_key: str,
) -> ReconstructionMetrics:
    """MSE, PSNR, SSIM, LPIPS, Fréchet and kernel distance, agreement in class of images.

    ``features``: the network of the Fréchet and kernel distances (``inception``, ``efficientnet_lite0``,
    ``fashion_classifier``), null for none. ``lpips``: networks out of ``alex`` and ``vgg``. ``unmapped``: also usage
    and rank of the codewords before a method's map. ``training_codes``: also usage on all training items.
    ``distinct_codes``: also how many different codes there are. ``extra``: further metrics by name.
    """
    return ImageMetrics(features, lpips, item_shape, device, originals_key)
