"""Fréchet and kernel distance by a further extractor, so that a ranking need not hang on one network."""

from typing import Any

import torch
from torch import Tensor

from benchmark.metrics import extra_metrics
from benchmark.metrics.base import ReconstructionMetrics, Value
from benchmark.metrics.parts.distances import FeatureDistances
from benchmark.metrics.parts.features import EXTRACTORS
from benchmark.metrics.parts.pixels import to_bytes, to_colour
from methods.core.usage import check_choice


class Distances(ReconstructionMetrics):
    """Distances of images ``[B, C, H, W]`` in [-1, 1], clamped and rounded to 8 bits; grey ones become colour.

    ``item_shape`` and ``originals_key`` as for `ImageMetrics`.
    """

    def __init__(self, features: str, item_shape: tuple[int, ...], device: torch.device, originals_key: str) -> None:
        extractor = EXTRACTORS[features](device)
        extractor.check_shape(tuple(item_shape))
        self._distances = FeatureDistances(extractor, originals_key, device)
        self._shape = item_shape

    @torch.inference_mode()
    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch."""
        pair = (originals.float(), reconstructions.float().clamp(-1, 1))
        self._distances.update(*(to_bytes(to_colour(images)) for images in pair))

    @torch.inference_mode()
    def compute(self) -> dict[str, Value]:
        """What `FeatureDistances` computes."""
        return self._distances.compute()

    def details(self) -> dict[str, Any]:
        """The network, the hash of its weights, and at which size images entered."""
        return self._distances.described(*self._shape[1:])


def _check(features: str) -> None:
    check_choice("metric `distances`: features", features, tuple(EXTRACTORS))


@extra_metrics.register("distances", check=_check, modality="image")
def distances(
    *,
    features: str = "efficientnet_lite2",
    item_shape: tuple[int, ...],
    device: torch.device,
    originals_key: str,
) -> ReconstructionMetrics:
    """Distances by another extractor than the suite's own: see `Distances`."""
    return Distances(features, item_shape, device, originals_key)
