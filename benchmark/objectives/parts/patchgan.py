"""A discriminator of overlapping patches of images, with batch norm over the whole batch of all processes."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.processes import channel_moments
from methods.parts.processes import is_distributed

SLOPE = 0.2
EPS = 1e-5


class BatchNorm(nn.Module):
    """Batch norm by the statistics of the batch, of all processes together; it keeps none, for it only ever trains."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width).normal_(1.0, 0.02))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, C, H, W]``, same shape."""
        if not is_distributed():
            return F.batch_norm(features, None, None, self.weight, self.bias, training=True, eps=EPS)
        _, mean, variance = channel_moments(features)
        scale = self.weight * (variance + EPS).rsqrt()
        return (features - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]


class PatchGAN(nn.Module):
    """Scores ``[B, 1, h, w]`` of patches of images ``[B, C, H, W]`` (Isola et al., pix2pix, arXiv 1611.07004).

    ``layers`` 4x4 convolutions of stride 2 and two of stride 1; the width doubles up to eight times. Convolutions
    start at N(0, 0.02²).
    """

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        widths = [min(2**layer, 8) * width for layer in range(layers + 1)]
        stack: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        for layer, (inputs, outputs) in enumerate(pairwise(widths), 1):
            stride = 2 if layer < layers else 1
            stack += [nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False), BatchNorm(outputs)]
            stack += [nn.LeakyReLU(SLOPE)]
        self.main = nn.Sequential(*stack, nn.Conv2d(widths[-1], 1, 4, padding=1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, images: Tensor) -> Tensor:
        """The higher, the more like an original."""
        return self.main(images)


def least_side(layers: int) -> int:
    """Pixels that an image needs a side."""
    return 3 * 2**layers
