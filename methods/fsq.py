"""FSQ: each of a few channels is rounded to a fixed number of levels; there is no codebook to collapse."""

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from methods.core.base import Card, Quantized
from methods.core.registry import register
from methods.core.usage import UsageError, check_range
from methods.parts.estimators import straight_through
from methods.parts.projection import ProjectedQuantizer

PUBLISHED_LEVELS = {
    256: (8, 6, 5),
    1024: (8, 5, 5, 5),
    4096: (7, 5, 5, 5, 5),
    16_384: (8, 8, 8, 6, 5),
    65_536: (8, 8, 8, 5, 5, 5),
}
"""Levels a channel for a wanted codebook size (paper, Table 1)."""
TOLERANCE = 0.07
"""How far the size may be from the wanted one; the published rows are off by up to 6.8 %."""
_EPSILON = 1e-3


@register("fsq")
class FSQ(ProjectedQuantizer):
    """The latent is projected to a few channels; each is squashed and rounded to an integer grid.

    Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", ICLR 2024, arXiv 2309.15505.
    The code is the mixed-radix number of the channels' digits, the first channel the lowest digit.

    Sizes: for 256, 1,024, 4,096, 16,384 and 65,536 the levels of the paper's Table 1 (240, 1,000,
    4,375, 15,360 and 64,000 codes); for any other size the product of levels from 5 to 8 nearest to
    it, the fewest channels first (2^18 is 8^6), if it is within 7 %.
    """

    card = Card(
        idea="a few channels, each squashed and rounded to 5 to 8 levels: a fixed grid instead of a codebook",
        paper='Mentzer, Minnen, Agustsson, Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple", ICLR 2024, '
        "arXiv 2309.15505",
        code="google-research/google-research, fsq/fsq.ipynb",
        trains="projections D x d and d x D (d = 3 to 6 channels); no codebook, no loss of its own",
        memory="N·d",
        differences=(
            "owns linear projections from D to the d channels and back, where the authors let encoder and decoder "
            "have d channels",
            "a channel with an even number of levels is centred with arctanh; the paper and its code have tan there, a "
            "slip by the first author's account, and with 6 or 8 levels at most 0.00006 of a level away",
            "the paper has no row for sizes other than 2^8, 2^10, 2^12, 2^14 and 2^16; there the nearest product of "
            "levels from 5 to 8 is taken",
        ),
        evidence=(
            "the authors' notebook, with NumPy for JAX, on 4,096 normal latents (std 2) for each of the five published "
            "rows: all 20,480 codes equal, squashed values within 5.7e-5 (the wanted difference; 3.7e-7 with tan)",
            "gradients of the same latents against the PyTorch port duchenzhuang/FSQ-pytorch: within 4.7e-5 (equal to "
            "the last bit with its tan)",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    levels: Tensor
    radix: Tensor
    half_width: Tensor
    offset: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, codebook_size: int, dim: int) -> None:
        levels = self.channel_levels(codebook_size)
        super().__init__(codebook_size, dim, len(levels))
        scale = [(level - 1) * (1 - _EPSILON) / 2 for level in levels]
        offset = [0.0 if level % 2 else 0.5 for level in levels]
        buffers = {
            "levels": torch.tensor(levels),
            "radix": torch.tensor([math.prod(levels[:channel]) for channel in range(len(levels))]),
            "half_width": torch.tensor([level // 2 for level in levels]),
            "offset": torch.tensor(offset),
            "shift": torch.tensor([math.atanh(o / s) for o, s in zip(offset, scale, strict=True)]),
            "scale": torch.tensor(scale),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    @classmethod
    def resolve_size(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """One level of the product of the channels' levels, which may differ from ``codebook_size``."""
        return (math.prod(cls.channel_levels(codebook_size)),)

    @classmethod
    def resolve_digits(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """Levels of the channels, the last channel the highest digit."""
        return cls.channel_levels(codebook_size)[::-1]

    @classmethod
    def channel_levels(cls, codebook_size: int) -> tuple[int, ...]:
        """Levels of each channel for a wanted size: the published ones, else the nearest product of 5 to 8."""
        check_range("codebook_size", codebook_size, 1)
        published = PUBLISHED_LEVELS.get(codebook_size)
        return published or choose_levels(codebook_size, (8, 7, 6, 5), cls.name)

    def bound(self, inner: Tensor) -> Tensor:
        """Projected latents squashed so that rounding gives the digits minus ⌊L/2⌋ (paper, App. A.1)."""
        return torch.tanh(inner + self.shift) * self.scale - self.offset

    def assign(self, inner: Tensor) -> Tensor:
        """Mixed-radix number of the digits, in int64 throughout."""
        # A NaN gets a code in range, which keeps a run alive until its loss is seen to be NaN.
        digits = self.bound(inner).round().nan_to_num().to(torch.int64) + self.half_width
        return (digits * self.radix).sum(-1)

    def look_up(self, codes: Tensor) -> Tensor:
        """Grid points in [-1, 1]: digits minus ⌊L/2⌋, over ⌊L/2⌋."""
        digits = codes.unsqueeze(-1) // self.radix % self.levels
        return (digits - self.half_width) / self.half_width

    def forward(self, latents: Tensor) -> Quantized:
        """No loss; the gradient passes the rounding straight through, and the squashing as it is."""
        inner = self.project_in(latents)
        codes = self.assign(inner).unsqueeze(-1)
        if self.training:
            bounded = self.bound(inner)
            output = self.project_out(straight_through(bounded, bounded.round()) / self.half_width)
        else:
            output = self.decode(codes)
        return Quantized(output, codes, latents.new_zeros(()))


def choose_levels(codebook_size: int, choices: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Levels a channel, each of the descending ``choices``, with the product nearest to ``codebook_size``.

    Raises:
        UsageError: no product is within 7 % of ``codebook_size``; the message names the nearest.
    """
    most_channels = max(1, math.ceil(math.log(codebook_size, choices[-1])))
    products = [
        levels
        for channels in range(1, most_channels + 1)
        for levels in itertools.combinations_with_replacement(choices, channels)
    ]
    nearest = min(products, key=lambda levels: abs(math.log(math.prod(levels) / codebook_size)))
    if abs(math.prod(nearest) / codebook_size - 1) > TOLERANCE:
        sizes = sorted({math.prod(levels) for levels in products})
        around = [max((s for s in sizes if s < codebook_size), default=0), min(s for s in sizes if s > codebook_size)]
        named = " and ".join(f"{size:,}" for size in around if size)
        raise UsageError(
            f"`{name}` has no product of levels from {choices[-1]} to {choices[0]} within 7 % of {codebook_size:,} "
            f"codes; nearest: {named}"
        )
    return nearest
