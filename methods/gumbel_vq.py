"""Gumbel-softmax VQ (dVAE): the encoder predicts a categorical distribution over codewords and draws from it."""

import math

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized, Quantizer
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.gumbel import gumbel_noise
from methods.parts.recompute import by_chunks

_RAMP_SHARE = 1 / 30
"""Length of the KL weight's ramp over that of the temperature's: 5,000 and 150,000 updates in the paper."""


@register("gumbel_vq")
class GumbelVQ(Quantizer):
    """A linear map gives a logit a codeword; training mixes codewords by a Gumbel-softmax, eval takes the largest.

    Ramesh et al., "Zero-Shot Text-to-Image Generation", ICML 2021, arXiv 2102.12092, Sec. 2.1 and
    App. A.2 (Jang et al., arXiv 1611.01144, for the relaxation). The loss is the KL divergence of the
    predicted distribution from the uniform one.

    Args:
        kl_weight: weight of the KL divergence, in nats a position, after its ramp from zero.
        hard: whether training takes the codeword drawn, with the gradient of the mixture, instead of
            the mixture itself.
        temperature: of the Gumbel-softmax in the first step.
        final_temperature: after the schedule.
        anneal_share: part of the run over which the temperature falls; the paper's 150,000 of 3 million
            updates. The KL weight's ramp is a thirtieth of that.
    """

    card = Card(
        idea="the encoder predicts a distribution over codewords; training relaxes a draw from it",
        paper='Ramesh et al., "Zero-Shot Text-to-Image Generation", ICML 2021, arXiv 2102.12092',
        code="openai/DALL-E has weights only; training as in karpathy/deep-vector-quantization, dvq/model/quantize.py, "
        "GumbelQuantize, and CompVis/taming-transformers, taming/modules/vqvae/quantize.py, GumbelQuantize (both "
        "unofficial)",
        trains="map to logits (D x K and bias) and codebook (K x D)",
        memory="N·D + K·D; N x K tensors a chunk at a time, recomputed in the backward pass",
        schedule="the temperature falls from 1 to 1/16 over the first 5 % of the run (`anneal_share`), and the KL "
        "weight rises from 0 over a thirtieth of that; then both stay",
        differences=(
            "eval mode takes the largest logit; the unofficial code adds Gumbel noise there too: its codes are random",
            "the schedules are shares of the run's steps, so that short runs get to their end",
        ),
        evidence=(
            "taming-transformers' unofficial code with the same noise on 256 latents, K = 512 and 4,096: codes equal, "
            "loss within 6e-11 of 3e-4; drawn codewords (`hard`) equal, gradients of latents within 8e-7 of 0.7; "
            "mixtures within 4.8e-6 at temperature 0.3 and 1.2e-5 at 1/16, where rounding of the logits is multiplied "
            "by 16; the temperature's schedule equals deep-vector-quantization's within 2e-16",
        ),
        distributed="each process draws the noise of its own latents, so half batches equal the whole in distribution "
        "only",
    )
    knob = Knob("kl_weight", (5e-5, 5e-4, 5e-3), below=(5e-6, 5e-7), above=(5e-2,))
    # Logits, noise and two softmaxes of N x K a step: with 6,272 latents of 64 dimensions 2.1 CPU seconds at K = 4,096.
    # The paper's size is 8,192.
    max_codebook_size = 1 << 16
    max_codebook_size_cpu = 1 << 12

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        kl_weight: float = 5e-4,
        hard: bool = False,
        temperature: float = 1.0,
        final_temperature: float = 1 / 16,
        anneal_share: float = 0.05,
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("kl_weight", kl_weight, 0)
        check_range("temperature", temperature, 1e-6)
        check_range("final_temperature", final_temperature, 1e-6)
        check_range("anneal_share", anneal_share, 0, 1)
        self.hard = hard
        self.first_temperature = self.temperature = temperature
        self.final_temperature = final_temperature
        self.anneal_share = anneal_share
        self.final_weight = kl_weight
        self.kl_weight = 0.0
        self.logits = nn.Linear(dim, self.codebook_size)
        self.codebook = nn.Parameter(torch.randn(self.codebook_size, dim))

    def anneal(self, step: int, total_steps: int) -> None:
        """Temperature down and KL weight up, each by a quarter of a cosine."""
        length = self.anneal_share * total_steps
        self.temperature = quarter_cosine(step, length, self.first_temperature, self.final_temperature)
        self.kl_weight = quarter_cosine(step, length * _RAMP_SHARE, 0.0, self.final_weight)

    def codewords(self) -> list[Tensor]:
        """The codebook."""
        return [self.codebook]

    @torch.no_grad()
    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the largest logit."""
        rows = latents.reshape(-1, self.dim)
        (codes,) = by_chunks(lambda chunk: (self.logits(chunk).argmax(1),), rows, width=self.codebook_size)
        return codes.reshape(*latents.shape[:-1], 1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codewords of ``codes``."""
        return self.codebook[codes.squeeze(-1)]

    def forward(self, latents: Tensor) -> Quantized:
        """Loss in training: kl_weight · mean over positions of Σ_k p ln(K p). The codes are those drawn."""
        if not self.training:
            codes = self.encode(latents)
            return Quantized(self.decode(codes), codes, latents.new_zeros(()))
        rows = latents.reshape(-1, self.dim)
        mixtures, drawn, divergences = by_chunks(self._draw, rows, width=self.codebook_size)
        if self.hard:
            # The value is the codeword, bit for bit; the mixture adds its gradient only.
            mixtures = self.codebook[drawn] + (mixtures - mixtures.detach())
        divergence = divergences.mean()
        log = {"kl": divergence.detach(), "temperature": torch.tensor(self.temperature)}
        codes = drawn.reshape(*latents.shape[:-1], 1)
        return Quantized(mixtures.reshape(latents.shape), codes, self.kl_weight * divergence, log)

    def _draw(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of latents ``[n, D]`` the mixtures ``[n, D]``, the codes drawn and the divergences from uniform ``[n]``."""
        logits = self.logits(rows)
        scores = (logits + gumbel_noise(logits)) / self.temperature
        codebook = self.codebook.detach() if self.hard else self.codebook
        log_probabilities = logits.log_softmax(1)
        divergences = (log_probabilities.exp() * log_probabilities).sum(1) + math.log(self.codebook_size)
        return scores.softmax(1) @ codebook, scores.argmax(1), divergences


def quarter_cosine(step: int, length: float, start: float, end: float) -> float:
    """From ``start`` at step 0 to ``end`` at ``length`` and after, slowly at first."""
    progress = min(1.0, step / length) if length else 1.0
    left = math.cos(progress * math.pi / 2)
    return left * start + (1 - left) * end
