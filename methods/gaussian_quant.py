"""Gaussian Quant: a Gaussian VAE whose divergence is held at log2 K bits; a fixed Gaussian codebook quantizes it."""

import math

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.processes import all_reduce, all_reduce_min
from methods.parts.projection import ProjectedQuantizer
from methods.parts.recompute import by_chunks

_BITS = 1.4426
"""Of a nat, as the authors' code has it."""
_LOG_VARIANCE = (-30.0, 20.0)
_FACTOR_RANGE = (1e-3, 1e3)


@register("gaussian_quant")
class GaussianQuant(ProjectedQuantizer):
    """Training draws from a Gaussian around each latent; evaluation takes the codeword that is likeliest there.

    Xu et al., "Vector Quantization using Gaussian Variational Autoencoder", arXiv 2512.06609. The codewords are K draws
    from N(0, I) and never change. So that one of them is where a latent's Gaussian is, its divergence from N(0, I)
    must be log2 K bits (target divergence constraint): the weight of the divergence rises and falls by 1 % a step with
    its mean, and further for latents beyond ``tolerance`` of it. In training codes are -1.

    Args:
        code_dim: dimension d of the Gaussians.
        kl_weight: weight of the divergence, in bits a position, in the first step.
        tolerance: bits above and below log2 K within which latents have the common weight.
        factor: by which weights change in a step.
        prior_weight: weight of -log N(c; 0, I) beside log N(c; m, s²) in choosing codeword c.
    """

    card = Card(
        idea="a Gaussian VAE with a divergence of log2 K bits; its latents are quantized by fixed Gaussian codewords",
        paper='Xu, Zheng, He, Hernández-Lobato, Wang, Zhang, Tang, "Vector Quantization using Gaussian Variational '
        'Autoencoder", arXiv 2512.06609',
        code="tongdaxu/VQ-VAE-from-Gaussian-VAE, pit/quantization/gaussian.py, GaussianQuantRegularizer",
        trains="projections D x 2d and d x D (d = 16); the codebook (K x d) is fixed",
        memory="N·d + K·d; in evaluation N x K scores a chunk at a time",
        schedule="nothing is annealed; weights of the divergence change by 1 % a step, as the authors' do, however "
        "long the run: by a factor of 1,000 in 700 steps",
        differences=(
            "owns linear projections from D to means and log-variances of d dimensions, and from d back, where the "
            "authors let encoder and decoder have them; one codebook a position (several: `product_vq` over it)",
            "the divergence is a mean over positions beside our reconstruction error, with weight 0.001 at first; "
            "theirs a sum over positions with 0.1, beside an error that is summed over pixels",
            "codewords are drawn from N(0, I) with the run's seed, as their paper has it; their code takes scrambled "
            "Sobol points, mapped to N(0, I)",
            "mean, least and greatest divergence are those of the batch of all processes, and the weights are saved; "
            "theirs are each process's own, and begin anew after a pause",
        ),
        evidence=(
            "the authors' GaussianQuantRegularizer (commit 1910dc2) with the same draws and its codebook, 60 steps of "
            "256 latents each at K = 256, d = 4; K = 1,024, d = 16; K = 64, d = 8: output equal bit for bit, loss and "
            "gradient of the latents within a relative 1.3e-6, all three weights after each step 4.8e-7; in eval mode "
            "768 codes and the output equal",
        ),
        distributed="draws are each process's own, so half batches equal the whole in distribution only; the weights "
        "are the same on all, and those of one",
    )
    knob = Knob("code_dim", (4, 8, 16), below=(2,), above=(32,))
    max_codebook_size = 1 << 18
    max_codebook_size_cpu = 1 << 14  # N x K scores for each of d dimensions, in evaluation
    codebook: Tensor
    weight: Tensor
    weight_above: Tensor
    weight_below: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        code_dim: int = 16,
        kl_weight: float = 1e-3,
        tolerance: float = 0.5,
        factor: float = 1.01,
        prior_weight: float = 1.0,
    ) -> None:
        check_range("code_dim", code_dim, 1)
        check_range("kl_weight", kl_weight, 0)
        check_range("tolerance", tolerance, 0)
        check_range("factor", factor, 1)
        check_range("prior_weight", prior_weight, 0)
        super().__init__(codebook_size, dim, code_dim)
        self.project_in = nn.Linear(dim, 2 * code_dim)
        self.kl_weight, self.tolerance, self.factor, self.prior_weight = kl_weight, tolerance, factor, prior_weight
        self.bits = int(math.log2(self.codebook_size))
        self.register_buffer("codebook", torch.randn(self.codebook_size, code_dim))
        for name in ("weight", "weight_above", "weight_below"):
            self.register_buffer(name, torch.ones(()))

    def _posterior(self, inner: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances ``[..., d]`` of projected latents ``[..., 2d]``."""
        mean, log_variance = inner.chunk(2, -1)
        return mean, log_variance.clamp(*_LOG_VARIANCE)

    @torch.no_grad()
    def assign(self, inner: Tensor) -> Tensor:
        """Codes of the codewords with the largest log N(c; m, s²) - prior_weight · log N(c; 0, I)."""
        rows = inner.reshape(-1, 2 * self.inner_dim)
        (codes,) = by_chunks(lambda chunk: (self._scores(chunk).argmax(1),), rows, width=self.codebook_size)
        return codes.reshape(inner.shape[:-1])

    def _scores(self, rows: Tensor) -> Tensor:
        """Twice that for ``rows [n, 2d]``, but for what is the same for all codewords; ``[n, K]``."""
        mean, log_variance = self._posterior(rows)
        precision = (-0.5 * log_variance).exp()
        scores = (self.prior_weight * self.codebook.square().sum(1)).expand(len(rows), -1)
        # A dimension at a time: as a matrix product, squares that nearly cancel would be rounded away.
        for axis, column in enumerate(self.codebook.unbind(1)):
            scores = scores - ((column - mean[:, axis, None]) * precision[:, axis, None]).square()
        return scores

    def look_up(self, codes: Tensor) -> Tensor:
        """Codewords."""
        return self.codebook[codes]

    def forward(self, latents: Tensor) -> Quantized:
        """Loss in training: kl_weight · weight · mean over positions of the divergences, by their further weights."""
        inner = self.project_in(latents)
        if not self.training:
            codes = self.assign(inner).unsqueeze(-1)
            return Quantized(self.decode(codes), codes, latents.new_zeros(()))
        mean, log_variance = self._posterior(inner)
        drawn = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        divergences = _BITS / 2 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)
        high, low = self.bits + self.tolerance, self.bits - self.tolerance
        further = torch.where(divergences > high, self.weight_above, 1.0)
        further = torch.where(divergences < low, self.weight_below, further)
        loss = self.kl_weight * self.weight * (further * divergences).mean()
        log = {"divergence": divergences.detach().mean(), "divergence_weight": self.kl_weight * self.weight}
        self._reweight(divergences.detach().flatten(), high, low)
        codes = torch.full((*latents.shape[:-1], 1), -1, device=latents.device)
        return Quantized(self.project_out(drawn), codes, loss, log)

    @torch.no_grad()
    def _reweight(self, divergences: Tensor, high: float, low: float) -> None:
        """Weights of the next step from the batch's divergences ``[N]``."""
        total, count = all_reduce(torch.stack([divergences.sum(), torch.ones_like(divergences).sum()]))
        least, most = all_reduce_min(torch.stack([divergences.min(), -divergences.max()]))
        up, down = self.factor, 1 / self.factor
        # New tensors: the loss still needs the old ones for its backward pass.
        self.weight = self.weight * torch.where(total / count > self.bits, up, down)
        self.weight_above = (self.weight_above * torch.where(-most > high, up, down)).clamp(1.0, _FACTOR_RANGE[1])
        self.weight_below = (self.weight_below * torch.where(least < low, down, up)).clamp(_FACTOR_RANGE[0], 1.0)
