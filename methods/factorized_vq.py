"""Factorised VQ (VQGAN-FC): nearest codeword on the unit sphere of a few dimensions."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.codebook import vq_loss
from methods.parts.entropy import ENTROPY_OPTIONS, EntropyRegularised
from methods.parts.estimators import straight_through
from methods.parts.nearest import nearest_codes
from methods.parts.projection import ProjectedQuantizer


@register("factorized_vq")
class FactorizedVQ(EntropyRegularised, ProjectedQuantizer):
    """Codes are looked up in a space of few dimensions, with latents and codewords of norm 1.

    Yu et al., "Vector-quantized Image Modeling with Improved VQGAN", ICLR 2022, arXiv 2110.04627,
    Sec. 3.2; the baseline called VQGAN-FC in later papers. The output is the normalised codeword,
    projected out.

    Args:
        code_dim: dimensions of the codebook; 8 in SimVQ's and LlamaGen's baseline, 32 in the public
            ViT-VQGAN.
        beta: weight of the commitment loss; the codebook loss has weight 1, both on unit vectors.
        entropy_weight: weight of the mean entropy of a latent's soft assignment minus the entropy of the mean
            assignment, as LlamaGen's and XQ-GAN's code has it (0 in their configurations with a codebook, 0.1 in those
            of XQ-GAN without one), in training.
        entropy_temperature: the soft assignment is the softmax of -|u - q|² / temperature over all unit codewords q.
        entropy_start: the weight of the first step, in multiples of ``entropy_weight``.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="codes are looked up by cosine in a space of few dimensions",
        paper='Yu et al., "Vector-quantized Image Modeling with Improved VQGAN", ICLR 2022, arXiv 2110.04627',
        code="not public; FoundationVision/LlamaGen, tokenizer/tokenizer_image/vq_model.py, VectorQuantizer, and "
        "thuanz123/enhancing-transformers, enhancing/modules/stage1/quantizers.py, VectorQuantizer (both unofficial)",
        trains="codebook (K x d, d = 8), projections D x d and d x D",
        memory="N·d + K·d",
        schedule="nothing by default; `entropy_start` falls to 1 over `entropy_share` of the run",
        differences=(
            "owns the linear projections to d dimensions and back, which are part of encoder and decoder elsewhere",
            "the straight-through gradient passes through the normalisation of the latent, as in LlamaGen; that of "
            "enhancing-transformers goes round it, and in 800 steps on `photos` (K = 256) left a single code in use",
        ),
        evidence=(
            "LlamaGen's code (the authors' is not public), without its entropy loss, on 128 latents, K = 512, d = 8 "
            "and K = 8,192, d = 32: output, loss and codes equal, gradients within 6e-8 of 0.5",
            "the same with its entropy loss at 0.1, 256 latents and K = 64, 512 and 1,024, 300 and 8,192: loss within "
            "6e-8 of 0.55, gradients of latents within 5.2e-8 of 0.017, of the codebook within 6.6e-8 of 0.009",
            "enhancing-transformers' code on the same: loss, codes and the codebook's gradient equal, output within "
            "5e-7; the gradient of latents differs, as said under differences",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("code_dim", (8, 16, 32), below=(4, 2), above=(64,))

    added = ENTROPY_OPTIONS

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        code_dim: int = 8,
        beta: float = 0.25,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        check_range("code_dim", code_dim, 1)
        check_range("beta", beta, 0)
        super().__init__(codebook_size, dim, code_dim, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        self.beta = beta
        self.codebook = nn.Parameter(torch.randn(self.codebook_size, code_dim))

    def assign(self, inner: Tensor) -> Tensor:
        """Codes of the highest cosine similarity."""
        return nearest_codes(inner.reshape(-1, self.inner_dim), self.codebook, "cosine").reshape(inner.shape[:-1])

    def look_up(self, codes: Tensor) -> Tensor:
        """Codewords on the unit sphere."""
        return normalize(self.codebook[codes], dim=-1)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: mean |q - sg u|² + beta · mean |sg q - u|² over all N·d elements of unit vectors q and u."""
        unit = normalize(self.project_in(latents), dim=-1)
        codes = self.assign(unit)
        quantized = self.look_up(codes)
        loss, log = vq_loss(unit, quantized, self.beta)
        loss, entropies = self.regularise(loss, unit, normalize(self.codebook, dim=-1))
        log |= entropies
        output = straight_through(unit, quantized) if self.training else quantized
        return Quantized(self.project_out(output), codes.unsqueeze(-1), loss, log)
