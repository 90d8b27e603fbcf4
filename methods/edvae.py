"""EdVAE: the encoder gives evidence for each codeword, and is held to a flat Dirichlet distribution over them."""

import math

import torch
from torch import Tensor

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import check_range
from methods.gumbel_vq import GumbelVQ, quarter_cosine
from methods.parts.gumbel import gumbel_noise

_MOST_EVIDENCE = 20.0
"""Logarithm of the largest evidence."""
_RAMP_SHARE = 1 / 30
"""Length of the KL weight's ramp in runs: 5,000 of the 150,000 updates of the authors' CIFAR-10 setting."""
_FINAL_TEMPERATURE = math.exp(-1.5)
"""That of the authors, exp(-1e-5 · step), after their 150,000 updates."""


@register("edvae")
class EdVAE(GumbelVQ):
    """`gumbel_vq` with the mean of a Dirichlet distribution, of concentrations exp(logit) + 1, for the softmax.

    Baykal, Kandemir, Unal, "EdVAE: Mitigating Codebook Collapse with Evidential Discrete Variational Autoencoders",
    Pattern Recognition 156, 2024, arXiv 2310.05718: a softmax is too sure of itself. The loss is the KL divergence of
    the Dirichlet distribution from the flat one.

    Args:
        kl_weight: weight of the KL divergence, in nats a position, after its ramp from zero.
        temperature: of the relaxed draw in the first step.
        final_temperature: in the last.
    """

    card = Card(
        idea="the encoder gives evidence for codewords; training relaxes a draw from its Dirichlet distribution's mean",
        paper='Baykal, Kandemir, Unal, "EdVAE: Mitigating Codebook Collapse with Evidential Discrete Variational '
        'Autoencoders", Pattern Recognition 156, 2024, arXiv 2310.05718',
        code="ituvisionlab/EdVAE, models/dirichlet_quantizer.py, DirichletQuantizer",
        trains="map to logits (D x K and bias) and codebook (K x D)",
        memory="N·D + K·D; N x K tensors a chunk at a time, recomputed in the backward pass",
        schedule="the temperature falls exponentially from 1 to 0.22 over the run, and the KL weight rises from 0 over "
        "the first thirtieth of it, as over the authors' 150,000 updates",
        differences=(
            "owns the linear map to the logits, which is the last layer of the authors' encoder",
            "their temperature is exp(-1e-5 · step) however long the run",
            "of their four ways to evidence the one of their settings (exp) is here",
            "the loss is 0 in eval mode",
        ),
        evidence=(
            "the authors' DirichletQuantizer (commit dfcb50e) with the same noise and logits, 5 steps of 64 latents at "
            "K = 64 and twice at 512, temperatures 0.55 to 0.26: 1,152 codes and losses equal; output within a "
            "relative 5.7e-7, gradients of latents, map and codebook 1.3e-6; the same in eval mode",
        ),
        distributed="each process draws the noise of its own latents, so half batches equal the whole in distribution "
        "only",
    )
    knob = Knob("kl_weight", (5e-8, 5e-7, 5e-6), below=(5e-9,), above=(5e-5, 5e-4))

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        kl_weight: float = 5e-7,
        temperature: float = 1.0,
        final_temperature: float = _FINAL_TEMPERATURE,
    ) -> None:
        super().__init__(
            codebook_size, dim, kl_weight=kl_weight, temperature=temperature, final_temperature=final_temperature
        )
        check_range("final_temperature", final_temperature, 1e-6, temperature)

    def anneal(self, step: int, total_steps: int) -> None:
        """Temperature down exponentially, KL weight up by a quarter of a cosine."""
        ratio = self.final_temperature / self.first_temperature
        self.temperature = self.first_temperature * ratio ** (step / total_steps)
        self.kl_weight = quarter_cosine(step, _RAMP_SHARE * total_steps, 0.0, self.final_weight)

    def _draw(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of latents ``[n, D]`` the mixtures ``[n, D]``, the codes drawn and the divergences from flat ``[n]``."""
        concentrations = self.logits(rows).clamp(max=_MOST_EVIDENCE).exp() + 1
        total = concentrations.sum(1, keepdim=True)
        scores = ((concentrations / total).log() + gumbel_noise(concentrations)) / self.temperature
        return scores.softmax(1) @ self.codebook, scores.argmax(1), flat_divergence(concentrations)


def flat_divergence(concentrations: Tensor) -> Tensor:
    """KL divergence ``[n]``, in nats, of Dirichlet distributions ``[n, K]`` from the one with concentrations of 1.

    ln Γ(S) - ln Γ(K) - Σ ln Γ(α) + Σ (α - 1) (ψ(α) - ψ(S)), S = Σ α.
    """
    total = concentrations.sum(1, keepdim=True)
    normaliser = total.squeeze(1).lgamma() - math.lgamma(concentrations.shape[1]) - concentrations.lgamma().sum(1)
    return normaliser + ((concentrations - 1) * (torch.digamma(concentrations) - torch.digamma(total))).sum(1)
