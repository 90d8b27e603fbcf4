"""Fréchet and kernel distance between features of originals and of their reconstructions, and agreement in class."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.cache import FeatureCache
from benchmark.metrics.base import Value
from benchmark.metrics.parts.features import Classifier, Extractor
from benchmark.metrics.parts.pixels import in_chunks
from benchmark.processes import all_say, is_first
from methods.parts.processes import gather_rows

MAX_WHOLE = 4096
SUBSETS, SUBSET_SIZE = 100, 1000


class _Given(nn.Module):
    """Stands where torchmetrics expects a network: the features have been computed already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(originals: Tensor, reconstructions: Tensor) -> float:
    """Fréchet distance of Gaussians fitted to features ``[N, F]`` (Heusel et al., NeurIPS 2017), in fp64."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    # Every process has all features already; torchmetrics would count them once for each.
    metric = FrechetInceptionDistance(feature=_Given(originals.shape[1]), sync_on_compute=False).to(originals.device)
    for features, real in ((originals, True), (reconstructions, False)):
        for chunk in features.split(MAX_WHOLE):
            metric.update(chunk.double(), real=real)
    # A general eigenvalue problem, which not every build for GPUs can solve.
    return float(metric.cpu().compute())


def kernel_distance(originals: Tensor, reconstructions: Tensor) -> float:
    """Unbiased squared MMD with the kernel (x·y/F + 1)³ (KID; Bińkowski et al., ICLR 2018).

    Of all features ``[N, F]`` at once up to N = 4,096; beyond, where the N×N kernel grows too large,
    the mean over 100 subsets of 1,000, drawn with a fixed seed.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    whole = len(originals) <= MAX_WHOLE
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        # That it keeps all features in memory, as this class does anyway.
        warnings.simplefilter("ignore", UserWarning)
        torch.default_generator.manual_seed(0)
        metric = KernelInceptionDistance(
            feature=_Given(originals.shape[1]),
            subsets=1 if whole else SUBSETS,
            subset_size=len(originals) if whole else SUBSET_SIZE,
            sync_on_compute=False,
        )
        metric.update(originals, real=True)
        metric.update(reconstructions, real=False)
        return float(metric.compute()[0])


class FeatureDistances:
    """One pass of one extractor feeds both distances, and the agreement in class where it is a classifier.

    The originals' features are kept on disk.

    Args:
        extractor: which features.
        key: identifies the originals, in their order: a hash of their content.
        device: where the extractor runs. Features of the originals are not shared between kinds of
            devices, which may round convolutions differently.
    """

    def __init__(self, extractor: Extractor, key: str, device: torch.device) -> None:
        self.extractor = extractor
        self._cache = FeatureCache(key, extractor.name, extractor.weights, device.type)
        self._cached = self._cache.load()
        if not all_say(self._cached is not None):  # another process looked before the cache had been written
            self._cached = None
        self._originals: list[Tensor] = []
        self._reconstructions: list[Tensor] = []
        self._images = 0

    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add uint8 colour images ``[B, 3, H, W]``."""
        self._images += len(originals)
        self._reconstructions.append(in_chunks(self.extractor, reconstructions))
        if self._cached is None:
            self._originals.append(in_chunks(self.extractor, originals))

    def compute(self) -> dict[str, Value]:
        """``rfid`` or ``fd_<extractor>``, and ``kid_<extractor>``; None where there are too few images.

        Of a classifier also ``class_agreement``.
        """
        reconstructions = gather_rows(torch.cat(self._reconstructions))
        self._images = len(reconstructions)
        if self._cached is None:
            self._cached = gather_rows(torch.cat(self._originals))
            if is_first():
                self._cache.save(self._cached)
        originals = self._cached.to(reconstructions.device)
        assert len(originals) == self._images, "the key of the originals names other images"
        measured: dict[str, Value] = {
            self.extractor.distance: None if self.withheld else frechet_distance(originals, reconstructions),
            f"kid_{self.extractor.name}": kernel_distance(originals, reconstructions) if self._images > 1 else None,
        }
        if isinstance(self.extractor, Classifier):  # images in the order of the test set, one a row
            same = self.extractor.classify(originals) == self.extractor.classify(reconstructions)
            measured["class_agreement"] = float(same.double().mean())
        return measured

    @property
    def withheld(self) -> str | None:
        """Why there is no Fréchet distance: a covariance needs more images than features."""
        least = 2 * self.extractor.num_features
        if self._images >= least:
            return None
        images = f"{self._images:,} images are" if self._images > 1 else "1 image is"
        return f"{images} fewer than twice the {self.extractor.num_features:,} features"

    def details(self) -> dict[str, Any]:
        """Extractor, hash of its weights, number of images, how KID was estimated, why the distance is withheld."""
        whole = self._images <= MAX_WHOLE
        return {
            "extractor": self.extractor.name,
            "weights_sha256": self.extractor.weights[:12],
            "num_features": self.extractor.num_features,
            "images": self._images,
            "kid_subsets": 1 if whole else SUBSETS,
            "kid_subset_size": self._images if whole else SUBSET_SIZE,
            "withheld": self.withheld,
        }

    def described(self, height: int, width: int) -> dict[str, Any]:
        """The details under the name of the distance, with the size of the images and that at which they entered."""
        entered = "×".join(map(str, self.extractor.input_size(height, width)))
        return {self.extractor.distance: {**self.details(), "image_size": f"{height}×{width}", "input": entered}}
