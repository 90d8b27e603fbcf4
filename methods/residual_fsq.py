"""Residual FSQ: a grid in a few channels, and finer grids for what the coarser ones leave over."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from methods.core.base import Card, Quantized, Quantizer
from methods.core.registry import register
from methods.core.usage import UsageError
from methods.fsq import FSQ
from methods.parts.estimators import straight_through
from methods.parts.levels import split_size


@register("residual_fsq")
class ResidualFSQ(Quantizer):
    """Depth grids in the same few channels, each as much finer as the one before it has levels.

    vector-quantize-pytorch's ResidualFSQ (its pull request 74), with the symmetric grid of Parker et al., arXiv
    2411.19842, Sec. 3.2: a channel at [-1, 1] is rounded to L levels with both ends among them; what is left over is
    stretched by L and rounded again.

    The size of a level is `fsq`'s for the depth-th root of the wanted size, and the same for all levels.

    Args:
        depth: number of grids.
    """

    card = Card(
        idea="a fixed grid in a few channels, and finer grids for what is left over",
        paper="none; after Mentzer et al. (FSQ, ICLR 2024, arXiv 2309.15505) and Parker et al. (arXiv 2411.19842)",
        code="lucidrains/vector-quantize-pytorch, residual_fsq.py, ResidualFSQ",
        trains="projections D x d and d x D; no codebook, no loss of its own",
        memory="N·d",
        differences=("levels a channel are `fsq`'s for the wanted size; there they are given",),
        evidence=(
            "vector-quantize-pytorch 1.32 with the same projections, 2,048 normal latents (std 2), grids of 8·6·5, "
            "8·5·5·5 and 8·8 at depth 2 and 6·5 at depth 3: codes, output, gradient of the latents and what codes "
            "decode to equal bit for bit",
        ),
    )
    levels: Tensor
    radix: Tensor
    clamp: Tensor

    def __init__(self, codebook_size: int, dim: int, *, depth: int = 2) -> None:
        super().__init__(codebook_size, dim, depth=depth)
        self.depth = depth
        levels = FSQ.channel_levels(split_size(codebook_size, depth)[0])
        self.project_in = nn.Linear(dim, len(levels))
        self.project_out = nn.Linear(len(levels), dim)
        radix = [math.prod(levels[:channel]) for channel in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("radix", torch.tensor(radix), persistent=False)
        self.register_buffer("clamp", torch.tensor([1 + 1 / (level - 1) for level in levels]), persistent=False)

    @classmethod
    def resolve_size(cls, codebook_size: int, *, depth: int = 2, **params: Any) -> tuple[int, ...]:
        """One size a level, all the same; it may differ from what is asked."""
        (size,) = super().resolve_size(codebook_size)
        sizes = split_size(size, depth)
        if len(set(sizes)) > 1:
            raise UsageError(f"`residual_fsq` needs {depth} levels of one size, which {codebook_size:,} is no power of")
        return FSQ.resolve_size(sizes[0]) * depth

    @classmethod
    def resolve_digits(cls, codebook_size: int, *, depth: int = 2, **params: Any) -> tuple[int, ...]:
        """Those of `fsq`, of one level after another."""
        cls.resolve_size(codebook_size, depth=depth)
        return FSQ.resolve_digits(split_size(codebook_size, depth)[0]) * depth

    def forward(self, latents: Tensor) -> Quantized:
        """No loss; the gradient passes each rounding straight through."""
        inner = self.project_in(latents)
        digits, points = self._round(inner)
        output = self.project_out(points if self.training else self._points(digits))
        return Quantized(output, self._codes(digits), latents.new_zeros(()))

    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, depth]``."""
        return self._codes(self._round(self.project_in(latents))[0])

    def decode(self, codes: Tensor) -> Tensor:
        """Sum of the levels' grid points, projected out; a level of -1 adds nothing."""
        digits = codes.unsqueeze(-1) // self.radix % self.levels
        return self.project_out(self._points(torch.where(codes.unsqueeze(-1) < 0, -1, digits)))

    def _round(self, inner: Tensor) -> tuple[Tensor, Tensor]:
        """Digits ``[B, *positions, depth, d]``, and the sum of their points with a gradient ``[B, *positions, d]``."""
        residual = torch.tanh(inner / self.clamp) * self.clamp
        steps, total, digits = self.levels - 1, torch.zeros_like(residual), []
        for level in range(self.depth):
            scale = self.levels.float() ** -level
            place = steps * (torch.clamp(residual / scale, -1, 1) + 1) / 2
            digit = (place + 0.5).floor()
            point = (2 / steps * straight_through(place + 0.5, digit) - 1) * scale
            # A NaN gets a digit in range, which keeps a run alive until its loss is seen to be NaN.
            digits.append(digit.detach().nan_to_num().to(torch.int64))
            total, residual = total + point, residual - point.detach()
        return torch.stack(digits, dim=-2), total

    def _points(self, digits: Tensor) -> Tensor:
        """Sum over levels of the points of ``digits [..., depth, d]``; those of -1 add nothing."""
        total = torch.zeros((), device=digits.device)
        for level, digit in enumerate(digits.unbind(-2)):
            point = (digit * (2 / (self.levels - 1)) - 1) * self.levels.float() ** -level
            total = total + torch.where(digit < 0, 0.0, point)
        return total

    def _codes(self, digits: Tensor) -> Tensor:
        return (digits * self.radix).sum(-1)
