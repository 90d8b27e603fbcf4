"""LPIPS to be trained by: the metric's network and weights, with gradients that are always finite."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.metrics.parts.perceptual import load_lpips
from benchmark.metrics.parts.pixels import to_colour


class PerceptualDistance:
    """LPIPS on VGG16 of images in [-1, 1] at their own size; no part of any state, for it is never trained."""

    def __init__(self, network: nn.Module) -> None:
        self._network: Any = network  # of a package without types

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """``[B]`` of images ``[B, C, H, W]``, grey or colour."""
        network = self._network.to(output.device)
        made, wanted = (network.net(network.scaling_layer(to_colour(images))) for images in (output, target))
        total = output.new_zeros(len(output))
        for one, other, head in zip(made, wanted, network.lins, strict=True):
            # The package divides by a root whose gradient is NaN where all features of a position are 0.
            difference = F.normalize(one, dim=1, eps=1e-10) - F.normalize(other, dim=1, eps=1e-10)
            total = total + head(difference.square()).mean((1, 2, 3))
        return total


def perceptual_distance() -> PerceptualDistance:
    """On VGG16, as both repositories train with it.

    Raises:
        UsageError: the weights are not installed or damaged.
    """
    return PerceptualDistance(load_lpips("vgg", torch.device("cpu")))
