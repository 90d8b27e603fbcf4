"""Huh et al.: an affine map over the codebook, synchronised commitment, alternating optimisation, replacement."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import UsageError, check_choice, check_range
from methods.parts.activity import LeastRecentlyUsed
from methods.parts.codebook import CodebookQuantizer, new_codebook, vq_loss
from methods.parts.entropy import ENTROPY_OPTIONS, EntropyRegularised
from methods.parts.estimators import straight_through
from methods.parts.statistics import code_counts, code_sums

_SMALLEST_SCALE = 0.01
"""Bound on the scale that a replacement is divided by, so that a scale near zero gives no huge codeword."""


@register("affine_vq")
class AffineVQ(EntropyRegularised, CodebookQuantizer):
    """Codewords (1 + λ·s) ⊙ e + λ·b, where a group of codewords shares s and b, so that all follow the encoder.

    Huh, Cheung, Agrawal, Isola, "Straightening Out the Straight-Through Estimator: Overcoming Optimization
    Challenges in Vector Quantized Networks", ICML 2023, arXiv 2305.08842. The defaults are those of the authors'
    example of an autoencoder, with the replacement of their README.

    Args:
        alpha: weight of the whole quantization loss.
        beta: share of the codebook loss in it; the commitment loss has the rest, 1 - beta.
        sync_nu: ν of the synchronised commitment: the codebook also gets ν times the decoder's gradient.
        affine_lr: λ, which scales the step of s and b; 0 is no map.
        affine_groups: number of groups, contiguous blocks of the codebook of one size.
        replace_after: training steps without use after which a codeword is replaced; 0 never.
        alternate: whether e is trained by its own gradient descent inside the forward pass, before the decoder
            sees the codeword, and not by the run's optimiser. The authors then use beta = 1.
        inner_lr: learning rate of that descent on mean |q - z|² over all N·D elements.
        inner_momentum: its momentum.
        init: start of e: ``kmeans`` of the first batches, or ``normal`` N(0, 1).
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="groups of codewords share an affine map, and the codebook also follows the decoder's gradient",
        paper='Huh, Cheung, Agrawal, Isola, "Straightening Out the Straight-Through Estimator: Overcoming '
        'Optimization Challenges in Vector Quantized Networks", ICML 2023, arXiv 2305.08842',
        code="minyoungg/vqtorch, vqtorch/nn/vq.py, VectorQuant",
        trains="codebook (K x D) and affine map (2 x groups x D); with alternate=True an inner optimiser owns e",
        memory="N·D + K·D",
        schedule="nothing is annealed, and codewords are replaced up to the last step; `replace_after` is in steps, as "
        "an unused codeword is known by how many latents could have chosen it (by default 20·N/K), however long the "
        "run; with `alternate` the inner learning rate is constant, as the authors', and does not follow the run's",
        differences=(
            "a replacement is put through the inverse of the affine map, so that the effective codeword is on the "
            "latent; vqtorch writes the latent before the map",
            "replacement follows the optimiser's step; vqtorch replaces before the backward pass",
            "k-means starts from several batches before the first step; vqtorch from one after its first forward pass",
            "alternating optimisation goes with the affine map, which raises an error in vqtorch, and with any beta",
            "the search is fp32; vqtorch searches in fp16 on a GPU",
        ),
        evidence=(
            "vqtorch, 10 Adam steps, K = 64, D = 16, four settings of sync_nu, affine_lr and groups: outputs and "
            "effective codebook within 7.2e-7, loss 1.8e-7, gradients of latents, e, s and b within 6.0e-7",
            "vqtorch's in-place SGD with momentum over 50 steps: output and codebook within 2.4e-7",
            "vqtorch's ReplaceLRU over 40 steps: the same 218 codewords fall due in the same steps",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("affine_lr", (1.0, 2.0, 10.0), below=(0.3, 0.1), above=(30.0, 100.0))
    added = ENTROPY_OPTIONS
    one_graph = False
    velocity: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        alpha: float = 10.0,
        beta: float = 0.95,
        sync_nu: float = 2.0,
        affine_lr: float = 2.0,
        affine_groups: int = 1,
        replace_after: int = 20,
        alternate: bool = False,
        inner_lr: float = 50.0,
        inner_momentum: float = 0.9,
        init: str = "kmeans",
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        super().__init__(codebook_size, dim, affine_groups=affine_groups, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        for name, value in (("alpha", alpha), ("sync_nu", sync_nu), ("affine_lr", affine_lr), ("inner_lr", inner_lr)):
            check_range(name, value, 0)
        check_range("beta", beta, 0, 1)
        check_range("replace_after", replace_after, 0)
        check_range("inner_momentum", inner_momentum, 0, 1)
        check_choice("init", init, ("kmeans", "normal"))
        self.alpha, self.beta, self.sync_nu = alpha, beta, sync_nu
        self.affine_lr, self.block = affine_lr, self.codebook_size // affine_groups
        self.alternate, self.inner_lr, self.inner_momentum = alternate, inner_lr, inner_momentum
        codebook = new_codebook(self.codebook_size, dim, init)
        if alternate:
            self.register_buffer("codebook", codebook)
            self.register_buffer("velocity", torch.zeros_like(codebook))
        else:
            self.codebook = nn.Parameter(codebook)
        self.scale = nn.Parameter(torch.zeros(affine_groups, dim), requires_grad=affine_lr > 0)
        self.bias = nn.Parameter(torch.zeros(affine_groups, dim), requires_grad=affine_lr > 0)
        self.replacement = LeastRecentlyUsed(self.codebook_size, timeout=replace_after, noise=0.01)
        self.register_buffer("initialised", torch.tensor(init != "kmeans"))

    @classmethod
    def resolve_size(cls, codebook_size: int, *, affine_groups: int = 1, **params: Any) -> tuple[int, ...]:
        """The size asked for, which the groups must divide."""
        check_range("affine_groups", affine_groups, 1)
        sizes = super().resolve_size(codebook_size, **params)
        if codebook_size % affine_groups:
            raise UsageError(f"affine_groups={affine_groups} does not divide the codebook size {codebook_size:,}")
        return sizes

    @classmethod
    def can_be_shared(cls, **params: Any) -> bool:
        """No: codewords are replaced by what the last pass found."""
        return False

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches as e, for ``init="kmeans"``; the affine map starts as the identity."""
        self.start_from_kmeans(latents)

    def effective_codebook(self) -> Tensor:
        """The codebook after the affine map of each row's group."""
        return self._affine(self.codebook, torch.arange(self.codebook_size, device=self.codebook.device))

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: alpha · ((1 - beta) · mean |sg q - z|² + beta · mean |q - sg z|²)."""
        with torch.no_grad():
            effective = self.effective_codebook()
        codes = self.nearest(latents, effective)
        indices = codes.squeeze(-1)
        quantized = effective[indices]
        if self.training:
            self.replacement.observe(latents.reshape(-1, self.dim), indices.reshape(-1))
            if self.alternate:
                self._inner_step(latents, indices, effective)
            quantized = self._affine(self.codebook[indices], indices)
        loss, log = vq_loss(latents, quantized, self.alpha * (1 - self.beta), self.alpha * self.beta)
        output = quantized
        if self.training:
            if self.entropy_weight:
                loss, entropies = self.regularise(loss, latents, self.effective_codebook())
                log |= entropies
            # Synchronised commitment: no change of value, ν times the output's gradient for the codeword.
            output = straight_through(latents, quantized) + self.sync_nu * (quantized - quantized.detach())
        return Quantized(output, codes, loss, log)

    @torch.no_grad()
    def after_step(self) -> None:
        """Replace the codewords that were due in this step's batch."""
        replacements = self.replacement.take_replacements()
        if replacements is not None:
            codes, rows = replacements
            scale, bias = self._map_of(codes)
            smallest = torch.full_like(scale, _SMALLEST_SCALE).copysign(scale)
            scale = torch.where(scale.abs() < _SMALLEST_SCALE, smallest, scale)
            self.codebook[codes] = (rows - bias) / scale

    def _map_of(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Scale 1 + λ·s and bias λ·b of each code's group."""
        groups = codes // self.block
        return 1 + self.affine_lr * self.scale[groups], self.affine_lr * self.bias[groups]

    def _affine(self, rows: Tensor, codes: Tensor) -> Tensor:
        scale, bias = self._map_of(codes)
        return scale * rows + bias

    @torch.no_grad()
    def _inner_step(self, latents: Tensor, indices: Tensor, effective: Tensor) -> None:
        """One step of gradient descent with momentum on mean |q - z|², in closed form from counts and sums."""
        rows, codes = latents.reshape(-1, self.dim), indices.reshape(-1)
        counts = code_counts(codes, self.codebook_size)
        scale, _ = self._map_of(torch.arange(self.codebook_size, device=codes.device))
        error = counts[:, None] * effective - code_sums(rows, codes, self.codebook_size)
        gradient = scale * 2 * error / (counts.sum() * self.dim)
        self.velocity.mul_(self.inner_momentum).add_(gradient)
        self.codebook -= self.inner_lr * self.velocity
