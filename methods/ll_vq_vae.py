"""LL-VQ-VAE: latents are rounded to a lattice with a learned spacing in each dimension."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from methods.core.base import Card, Knob, Quantized, Quantizer
from methods.core.registry import register
from methods.core.usage import UsageError, check_choice, check_range
from methods.parts.estimators import straight_through

_LEAST_SPACING = 1e-6
_FARTHEST = 2.0**40
"""Steps of the lattice from its origin: what float32 still multiplies without overflow, far beyond any latent."""


@register("ll_vq_vae")
class LLVQVAE(Quantizer):
    """Each dimension has one number b: latents are rounded to its whole multiples, and there is no list of codewords.

    Khalil, Piechocki, Santos-Rodriguez, "LL-VQ-VAE: Learnable Lattice Vector-Quantization For Efficient
    Representations", arXiv 2310.09382. A code is the whole numbers of all dimensions. They have no bound, so that usage
    means nothing: count distinct codes and their entropy.

    Args:
        beta: weight of the commitment loss; the lattice's own squared error has weight 1.
        sparsity: weight of minus the sum of |b|, which drives the spacings up; negative values make the lattice denser.
        init: start of b: ``sparse`` U(-B, B) with B = 1 / (K^(1/D) - 1), ``unit_uniform`` U(-1, 1).
    """

    card = Card(
        idea="a lattice: each dimension is rounded to whole multiples of one learned number",
        paper='Khalil, Piechocki, Santos-Rodriguez, "LL-VQ-VAE: Learnable Lattice Vector-Quantization For Efficient '
        'Representations", arXiv 2310.09382',
        code="AGKhalil/ll-vq-vae, vector_quantizer/lattice_quantizer.py",
        trains="D spacings, by the run's optimiser",
        memory="N·D codes",
        differences=(
            "the codebook size says where the spacings start and no more: the number of distinct codes is free",
            "a spacing closer to zero than 1e-6 counts as that, where the authors divide by zero; a latent more than "
            "2^40 steps from the origin is taken as that far",
        ),
        evidence=(
            "the authors' LatticeQuantizer (commit 2a5af85), with its two settings, on the same 784 latents and "
            "spacings, K = 512, D = 64, 20 seeds: points, output, loss and both gradients equal to the last bit",
        ),
    )
    knob = Knob("sparsity", (0.1, 1.0, 10.0), below=(0.01, 0.0), above=(100.0,))
    bounded = False

    def __init__(
        self, codebook_size: int, dim: int, *, beta: float = 0.25, sparsity: float = 1.0, init: str = "sparse"
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("beta", beta, 0)
        check_choice("init", init, ("sparse", "unit_uniform"))
        check_range("sparsity", sparsity, -math.inf)
        self.beta = beta
        self.sparsity = sparsity
        bound = 1 / (self.codebook_size ** (1 / dim) - 1) if init == "sparse" else 1.0
        self.spacing = nn.Parameter(torch.empty(dim).uniform_(-bound, bound))

    @classmethod
    def resolve_size(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """The size that the spacings start from; at least 2."""
        check_range("codebook_size", codebook_size, 1)
        if codebook_size < 2:
            raise UsageError("`ll_vq_vae` needs a codebook size of at least 2, from which its spacings start, not 1")
        return (codebook_size,)

    def _steps(self) -> Tensor:
        """The spacings ``[D]``, none of them zero."""
        least = torch.full_like(self.spacing, _LEAST_SPACING).copysign(self.spacing)
        return torch.where(self.spacing.abs() < _LEAST_SPACING, least, self.spacing)

    def encode(self, latents: Tensor) -> Tensor:
        """Whole numbers int64 ``[B, *positions, D]``, of either sign."""
        multiples = (latents.detach() * (1 / self._steps().detach())).round()
        # A NaN gets a code too, which keeps a run alive until its loss is seen to be NaN.
        return multiples.nan_to_num().clamp(-_FARTHEST, _FARTHEST).to(torch.int64)

    def decode(self, codes: Tensor) -> Tensor:
        """Points of the lattice."""
        return codes * self._steps()

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: mean |q - sg z|² + beta · mean |sg q - z|² - sparsity · Σ|b|."""
        codes = self.encode(latents)
        quantized = self.decode(codes)
        commitment = mse_loss(latents, quantized.detach())
        size = self.spacing.abs().sum()
        loss = mse_loss(quantized, latents.detach()) + self.beta * commitment - self.sparsity * size
        output = straight_through(latents, quantized) if self.training else quantized
        log = {"commitment": commitment.detach(), "spacing": size.detach() / self.dim}
        return Quantized(output, codes, loss, log)
