"""SEANet: strided convolutions with residual units around them, and the mirror image as a decoder."""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

KERNEL = 7
COMPRESS = 2


class Conv(nn.Module):
    """Weight-normalised 1-d convolution that keeps ``T / stride``; ``causal`` pads on the left alone.

    Padded by reflection, so that a clip has no edge against silence.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, causal: bool = False
    ) -> None:
        super().__init__()
        conv = nn.Conv1d(inputs, outputs, kernel, stride=stride, dilation=dilation)
        self.conv = weight_norm(_started(conv, inputs * kernel))
        total = (kernel - 1) * dilation + 1 - stride
        self.padding = (total, 0) if causal else (total - total // 2, total // 2)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, inputs, T]`` to ``[B, outputs, T / stride]``."""
        return self.conv(_reflect(features, self.padding))


def _started(conv: nn.Conv1d | nn.ConvTranspose1d, fan_in: int) -> nn.Module:
    """``conv`` with weights that keep the variance of what goes through, and no bias.

    PyTorch's own start, which EnCodec has, shrinks a signal by four orders of magnitude through an encoder this deep:
    all latents would begin at one point, and every codebook with them.
    """
    nn.init.normal_(conv.weight, std=fan_in**-0.5)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def _reflect(features: Tensor, padding: tuple[int, int]) -> Tensor:
    """Reflection, of what is too short for it after zeros."""
    short = max(padding) + 1 - features.shape[-1]
    if short > 0:
        return F.pad(F.pad(features, (0, short)), padding, mode="reflect")[..., : features.shape[-1] + sum(padding)]
    return F.pad(features, padding, mode="reflect")


class Upsample(nn.Module):
    """Weight-normalised transposed convolution, kernel twice the stride, cut to ``T · stride``."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, causal: bool = False) -> None:
        super().__init__()
        # Two of its taps meet in every output.
        self.conv = weight_norm(_started(nn.ConvTranspose1d(inputs, outputs, 2 * stride, stride=stride), 2 * inputs))
        self.left = 0 if causal else stride // 2
        self.stride = stride

    def forward(self, features: Tensor) -> Tensor:
        """``[B, inputs, T]`` to ``[B, outputs, T · stride]``."""
        length = features.shape[-1] * self.stride
        return self.conv(features)[..., self.left : self.left + length]


class ResidualUnit(nn.Module):
    """ELU, kernel 3 to half the width, ELU, kernel 1 back; added to a 1x1 convolution of the input."""

    def __init__(self, width: int, dilation: int, causal: bool) -> None:
        super().__init__()
        hidden = max(1, width // COMPRESS)
        self.block = nn.Sequential(
            nn.ELU(),
            Conv(width, hidden, 3, dilation=dilation, causal=causal),
            nn.ELU(),
            Conv(hidden, width, 1),
        )
        self.shortcut = Conv(width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, width, T]``, same shape."""
        return self.shortcut(features) + self.block(features)


class Recurrent(nn.Module):
    """LSTM over time, added to its input."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, layers)

    def forward(self, features: Tensor) -> Tensor:
        """``[B, width, T]``, same shape."""
        return features + self.lstm(features.permute(2, 0, 1))[0].permute(1, 2, 0)


def encoder(filters: int, latent_dim: int, strides: Sequence[int], units: int, lstm: int, causal: bool) -> nn.Module:
    """Waveforms ``[B, 1, T]`` to ``[B, latent_dim, T / product of strides]``.

    Tagliasacchi et al. (SEANet, arXiv 2009.02095) as in EnCodec (Défossez et al., arXiv 2210.13438): channels double
    with every stride, before which stand ``units`` residual units of dilations 1, 2, 4 …; last, ``lstm`` LSTM layers.
    """
    layers: list[nn.Module] = [Conv(1, filters, KERNEL, causal=causal)]
    width = filters
    for stride in strides:
        layers += [ResidualUnit(width, 2**unit, causal) for unit in range(units)]
        layers += [nn.ELU(), Conv(width, 2 * width, 2 * stride, stride=stride, causal=causal)]
        width *= 2
    layers += [Recurrent(width, lstm)] if lstm else []
    return nn.Sequential(*layers, nn.ELU(), Conv(width, latent_dim, KERNEL, causal=causal))


def decoder(filters: int, latent_dim: int, strides: Sequence[int], units: int, lstm: int, causal: bool) -> nn.Module:
    """The mirror image: ``[B, latent_dim, T']`` to waveforms ``[B, 1, T' · product of strides]``."""
    width = filters * 2 ** len(strides)
    layers: list[nn.Module] = [Conv(latent_dim, width, KERNEL, causal=causal)]
    layers += [Recurrent(width, lstm)] if lstm else []
    for stride in reversed(strides):
        layers += [nn.ELU(), Upsample(width, width // 2, stride, causal=causal)]
        width //= 2
        layers += [ResidualUnit(width, 2**unit, causal) for unit in range(units)]
    return nn.Sequential(*layers, nn.ELU(), Conv(width, 1, KERNEL, causal=causal))


def hop(strides: Sequence[int]) -> int:
    """Samples a token stands for."""
    return math.prod(strides)
