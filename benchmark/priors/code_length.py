"""Code length of images in two parts, codes under a prior and pixels under the decoder, and of codes alone."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

from benchmark.priors.joint_codes import digits_of, number_of

LEVELS = 256
_HALF = 1 / (LEVELS - 1)
"""Half the distance of two grey levels in the model's units, [-1, 1]."""
_SCALES = (1e-4, 2.0)


def pixel_nats(means: Tensor, levels: Tensor, scale: float) -> Tensor:
    """−log P of grey levels 0 to 255 under a discretised logistic, fp64, a value each.

    The logistic has mean ``means`` in [-1, 1] and ``scale``; a level has its mass within half a step, the first and the
    last also all beyond (PixelCNN++, arXiv 1701.05517, eq. 2), so that the 256 levels sum to 1.
    """
    assert means.shape == levels.shape, (means.shape, levels.shape)
    offset = levels.double() / 127.5 - 1 - means.double()
    above, below = (offset + _HALF) / scale, (offset - _HALF) / scale
    first, last = levels == 0, levels == LEVELS - 1
    # σ(b) − σ(a) = σ(b) σ(−a) (1 − exp(a − b)), without cancellation far from the mean.
    within = math.log(-math.expm1(-2 * _HALF / scale))
    log = torch.where(last, 0.0, F.logsigmoid(above)) + torch.where(first, 0.0, F.logsigmoid(-below))
    return -(log + within * (~(first | last)).double())


def fit_scale(means: Tensor, levels: Tensor) -> float:
    """The one scale at which grey levels ``levels`` are shortest under `pixel_nats`; for a validation set."""

    def length(log_scale: float) -> float:
        return float(pixel_nats(means, levels, math.exp(log_scale)).mean())

    low, high = map(math.log, _SCALES)
    return math.exp(minimize_scalar(length, bounds=(low, high), method="bounded", options={"xatol": 1e-4}).x)


def bits_per_dimension(code_nats: Tensor, pixels: Tensor, label_nats: float = 0.0) -> float:
    """Mean code length of images in bits a value of an image, an upper bound on −log₂ p(image).

    Args:
        code_nats: −log P of each position's code under the prior ``[B, positions]``.
        pixels: −log P of each value under the decoder ``[B, ...]``, from `pixel_nats`.
        label_nats: of an image's class, which a prior given the class must be told first.
    """
    assert len(code_nats) == len(pixels), (code_nats.shape, pixels.shape)
    item = code_nats.double().flatten(1).sum(1) + pixels.double().flatten(1).sum(1) + label_nats
    return float(item.mean()) / (pixels[0].numel() * math.log(2))


class Unigram:
    """Codes drawn one by one from their frequencies: what a prior is worth that has found no structure.

    Args:
        index: joint indexes int64 of any shape, which it fits exactly.
        digits: sizes of the digits that are counted each by itself; the number of joint codes alone counts those.
    """

    def __init__(self, index: Tensor, digits: Sequence[int]) -> None:
        self.digits = tuple(digits)
        self.frequencies: list[Tensor] = []
        for size, column in zip(self.digits, digits_of(index, self.digits).unbind(-1), strict=True):
            counts = torch.bincount(column.flatten(), minlength=size).double()
            self.frequencies.append(counts / counts.sum())

    def nats(self, index: Tensor) -> Tensor:
        """−log P of every code, fp64; infinite for one that it never saw."""
        columns = digits_of(index, self.digits).unbind(-1)
        each = [-shares.log()[column] for shares, column in zip(self.frequencies, columns, strict=True)]
        return torch.stack(each).sum(0)

    def sample(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Codes of independent positions, int64 ``shape``."""
        count = math.prod(shape)
        drawn = [torch.multinomial(s, count, replacement=True, generator=generator) for s in self.frequencies]
        return number_of(torch.stack(drawn, dim=-1), self.digits).reshape(shape)
