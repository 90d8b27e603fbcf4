"""FSP: latents squashed to (0, 1) and cut in equal intervals, whose noise stands for rounding in training."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_choice, check_range
from methods.fsq import FSQ
from methods.parts.estimators import straight_through
from methods.parts.moments import moment_penalty

_UNIT_STD = math.sqrt(12)
"""One over the standard deviation of U(0, 1)."""
_BELOW_ONE = 1 - torch.finfo(torch.float32).eps


class _Squashing(NamedTuple):
    """A distribution function, and the variance of latents that it makes uniform."""

    function: Callable[[Tensor], Tensor]
    variance: float


_SQUASHINGS = {
    "tanh": _Squashing(lambda inner: (inner.tanh() + 1) / 2, math.pi**2 / 12),
    "sigmoid": _Squashing(torch.sigmoid, math.pi**2 / 3),
    "normal": _Squashing(lambda inner: (1 + torch.erf(inner / math.sqrt(2))) / 2, 1.0),
    "laplace": _Squashing(lambda inner: (1 + inner.sign() * (1 - torch.exp(-inner.abs()))) / 2, 2.0),
}


@register("fsp")
class FSP(FSQ):
    """`fsq` on equal intervals of (0, 1), with uniform noise as wide as an interval in place of rounding in training.

    Zhai et al., "VP-VAE: Rethinking Vector Quantization via Adaptive Vector Perturbation", arXiv 2602.17133: what is
    left of `vp_vae` where latents are uniform. A channel of L levels is squashed by a distribution function, cut in L
    intervals, and stands for the middle of its own; the decoder sees it at mean 0 and variance 1. Sizes as `fsq`.

    Args:
        quantized_share: share of the values that are rounded in training; the others are shifted by at most half an
            interval, where that does not leave (0, 1).
        squashing: ``tanh``, ``sigmoid``, ``normal`` or ``laplace``.
        moment_weight: weight of the penalty on means and variances other than those of latents that the squashing
            makes uniform; 1 is the strength of the authors' matched settings, 0 their default.
    """

    card = Card(
        idea="FSQ on equal intervals of a distribution function; in training noise stands for rounding",
        paper='Zhai, Ding, Lin, Zhao, Wang, Wang, Wang, Xi, "VP-VAE: Rethinking Vector Quantization via Adaptive '
        'Vector Perturbation", arXiv 2602.17133',
        code="zhai-lw/vp-vae, fsp/fsp.py, FSP",
        trains="projections D x d and d x D (d = 3 to 6 channels); no codebook",
        memory="N·d",
        differences=(
            "owns linear projections from D to the d channels and back, where the authors let encoder and decoder "
            "have d channels",
            "the authors' code leaves the levels of the channels to the user; here they are those of `fsq`",
            "their way back through the inverse of the squashing (need_inv_act, off by default), their penalties on "
            "skewness and kurtosis (likewise) and the Cauchy distribution, which has no variance, are left out",
            "the penalty's moments are those of the batch of all processes",
        ),
        evidence=(
            "the authors' FSP (commit 2ae367d) with the same noise, 512 normal latents (std 2) each at 256 to 65,536 "
            "codes, four squashings, shares 0, 0.5 and 1: all 61,440 codes equal, output within 3.6e-7, gradient of "
            "the latents 7.2e-7, penalty 1.2e-7 (1.8e-5 with the variances unrounded, as here)",
        ),
        distributed="the noise of a value is drawn by its own process, so half batches equal the whole in "
        "distribution only (exactly with quantized_share=1)",
    )
    knob = Knob("quantized_share", (0.0, 0.5, 1.0))

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        quantized_share: float = 0.0,
        squashing: str = "tanh",
        moment_weight: float = 0.0,
    ) -> None:
        check_range("quantized_share", quantized_share, 0, 1)
        check_choice("squashing", squashing, tuple(_SQUASHINGS))
        check_range("moment_weight", moment_weight, 0)
        super().__init__(codebook_size, dim)
        self.quantized_share = quantized_share
        self.squashing = squashing
        self.moment_weight = moment_weight

    def bound(self, inner: Tensor) -> Tensor:
        """Projected latents squashed to [0, 1]."""
        return _SQUASHINGS[self.squashing].function(inner)

    def assign(self, inner: Tensor) -> Tensor:
        """Mixed-radix number of the intervals, the first channel the lowest digit."""
        return (self._digits(self.bound(inner)) * self.radix).sum(-1)

    def _digits(self, bounded: Tensor) -> Tensor:
        # A NaN gets a code in range, which keeps a run alive until its loss is seen to be NaN.
        return (bounded.nan_to_num().clamp(max=_BELOW_ONE) * self.levels).floor().to(torch.int64)

    def look_up(self, codes: Tensor) -> Tensor:
        """Middles of the intervals, at mean 0 and variance 1 of the uniform distribution."""
        return self._standardised((codes.unsqueeze(-1) // self.radix % self.levels + 0.5) / self.levels)

    @staticmethod
    def _standardised(bounded: Tensor) -> Tensor:
        return (bounded - 0.5) * _UNIT_STD

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: moment_weight times the penalty; the gradient passes rounding and noise, and the squashing as it is."""
        inner = self.project_in(latents)
        bounded = self.bound(inner)
        codes = (self._digits(bounded) * self.radix).sum(-1, keepdim=True)
        loss = latents.new_zeros(())
        if self.moment_weight:
            penalty = moment_penalty(inner.reshape(-1, self.inner_dim), _SQUASHINGS[self.squashing].variance)
            loss = self.moment_weight * penalty
        if not self.training:
            return Quantized(self.decode(codes), codes, loss)
        rounded = (self._digits(bounded) + 0.5) / self.levels
        if self.quantized_share < 1:
            kept = torch.rand_like(bounded) <= self.quantized_share
            rounded = torch.where(kept, rounded, self._shifted(bounded))
        return Quantized(self.project_out(self._standardised(straight_through(bounded, rounded))), codes, loss)

    def _shifted(self, bounded: Tensor) -> Tensor:
        """Values moved by at most half an interval, each way alike; one that would leave (0, 1) stays."""
        proposed = bounded + (torch.rand_like(bounded) - 0.5) / self.levels
        return torch.where((proposed > 0) & (proposed < 1), proposed, bounded)
