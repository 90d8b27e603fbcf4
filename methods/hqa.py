"""HQA, one layer: codes drawn from a relaxed posterior, commitment weighted by it, the least used codeword reset."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import UsageError, check_choice, check_range
from methods.parts.codebook import CodebookQuantizer, new_codebook
from methods.parts.gumbel import gumbel_noise
from methods.parts.processes import broadcast
from methods.parts.recompute import by_chunks, chunk_elements
from methods.parts.statistics import code_counts

_RESET_SHARE = 0.03
_RESET_NOISE = 0.01
_DRAWING = 0
"""Seed of the codes drawn in eval mode."""


@register("hqa")
class HQA(CodebookQuantizer):
    """Posterior P = softmax(-|z - e|²); training mixes codewords by a Gumbel-softmax sample of it.

    Williams et al., "Hierarchical Quantized Autoencoders", NeurIPS 2020, arXiv 2002.08111: one layer of the
    stack, on the model's encoder; the whole is this method with the model ``hqa_stack`` and ``layerwise`` training.
    The loss has the probability-weighted commitment Σ_k P_k |z - e_k|² and KL(P | uniform), neither with a
    stop-gradient. In eval mode the most probable, that is the nearest, codeword.

    Args:
        commitment_weight: weight of the commitment. The authors' 0.001 a value is 0.00025 a position in the first
            layer of their MNIST model.
        kl_weight: weight of the KL; likewise.
        temperature: of the Gumbel-softmax before the first step.
        final_temperature: in the last step; it falls linearly between.
        reset_every: steps between resets, the first step included: if the least used codeword since the last one
            was drawn less than 3 % as often as the most used, it becomes that one plus N(0, 0.01²); 0 never.
        loss_per: what commitment and KL are means over: every ``position``; or, as the authors', every ``value`` of
            what the layer reconstructs, their sums over positions divided by the number of those.
        draws: in eval mode too a code is drawn from the posterior, as the authors' decoding does; the noise is the same
            in every call.
        init: start of the codebook: ``normal`` N(0, 1), ``uniform`` U(-1/K, 1/K), or ``kmeans`` of the first
            batches' latents.
    """

    card = Card(
        idea="codes are drawn from a softmax over distances, and each codeword is drawn to latents by its probability",
        paper='Williams, Ringer, Ash, MacLeod, Dougherty, Hughes, "Hierarchical Quantized Autoencoders", NeurIPS 2020, '
        "arXiv 2002.08111",
        code="speechmatics/hqa, hqa.ipynb",
        trains="codebook (K x D)",
        memory="N·D + K·D; N x K tensors a chunk at a time, recomputed in the backward pass",
        schedule="the temperature falls in a straight line from 0.667 before the first step to 0.001 in the last, as "
        "the authors'; gradients grow as its reciprocal, so that the last steps need a learning rate that falls too, "
        "or they undo what the run has learned; `reset_every` is in steps, as the least used codeword is known by a "
        "number of draws (by default 20·N/K a codeword), however long the run, and resets go on to its end",
        differences=(
            "by itself one layer on the encoder and decoder that all methods share; theirs is a stack of five "
            "autoencoders, each trained on the latents of the one below: the model `hqa_stack` with `layerwise` "
            "training, as in the suite `hqa`",
            "eval mode takes the most probable code; theirs draws one, so that decoding is stochastic: `draws`, whose "
            "noise is the same in every call; for their distortions they mix codewords at the top of the stack by the "
            "relaxed draw that training ends with",
            "learning rate and clipping are the suite's; the authors' rate (as copies of their notebook in others' "
            "repositories have it) stays for two thirds of a layer's steps and falls by a cosine to a tenth, with "
            "gradients clipped at norm 1, as in the suite `hqa`, where it begins to fall a step later. Of one layer, "
            "PSNR at 90 % and at the end of 1,000 steps (Fashion-MNIST, K = 256, one seed): 18.65 and 16.03 dB at a "
            "constant rate, 18.40 and 17.26 with clipping too, 18.12 and 18.14 with a cosine to 0, 18.65 and 18.77 "
            "with the authors' rate and clipping",
            "commitment and KL are means over positions with weights of their own; theirs are sums over positions, "
            "over the number of target values: `loss_per=value`",
        ),
        evidence=(
            "closed forms in float64 at three sizes: commitment within 4.9e-8, KL 1.3e-5, gradients of latents and "
            "codebook 3.0e-6, relative; the training codes pass a chi-squared test against the posterior",
            "a script form of the authors' notebook (MathewTWilliams/hqa_research; Mish again for the GELU of its "
            "decoder, as other copies have it), with the same weights, batches, rate and noise: three layers of 8x8, "
            "4x4 and 2x2 positions, K = 16, 200 steps each with 40 resets: losses within 4.9e-5, relative, and all "
            "weights within 3.7e-5 at every step; after it latents of each stack within 1.2e-4, all codes drawn the "
            "same, and so are the images decoded by draws in every layer",
        ),
        distributed="codebook and counters are the same on all processes; each draws the noise of its own latents, so "
        "half batches equal the whole in distribution only; so do codes drawn in an evaluation",
    )
    ranked = False  # one layer of a stack
    added = ("loss_per", "draws")
    knob = Knob("commitment_weight", (2.5e-4, 1e-3, 1e-2), below=(6e-5,), above=(0.1, 1.0))
    max_codebook_size_cpu = 4096
    """The posterior is N x K: for N = 6,272 and D = 64 a step takes one core 2.1 s at this size, 9.4 s at 16,384."""
    counts: Tensor
    steps: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        commitment_weight: float = 2.5e-4,
        kl_weight: float = 2.5e-4,
        temperature: float = 0.667,
        final_temperature: float = 0.001,
        reset_every: int = 20,
        loss_per: str = "position",
        draws: bool = False,
        init: str = "normal",
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("commitment_weight", commitment_weight, 0)
        check_range("kl_weight", kl_weight, 0)
        check_range("temperature", temperature, 1e-6)
        check_range("final_temperature", final_temperature, 1e-6)
        check_range("reset_every", reset_every, 0)
        check_choice("loss_per", loss_per, ("position", "value"))
        self.commitment_weight, self.kl_weight = commitment_weight, kl_weight
        self.loss_per, self.draws = loss_per, draws
        self.first_temperature = self.temperature = temperature
        self.final_temperature = final_temperature
        self.reset_every = reset_every
        self.codebook = nn.Parameter(new_codebook(self.codebook_size, dim, init))
        self.register_buffer("initialised", torch.tensor(init != "kmeans"))
        self.register_buffer("counts", torch.zeros(self.codebook_size))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches, for ``init="kmeans"``."""
        self.start_from_kmeans(latents)

    def anneal(self, step: int, total_steps: int) -> None:
        """Set the temperature of the Gumbel-softmax."""
        progress = (step + 1) / total_steps
        self.temperature = self.first_temperature + progress * (self.final_temperature - self.first_temperature)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: commitment_weight · mean Σ_k P_k |z - e_k|² + kl_weight · mean KL(P | uniform), per ``loss_per``."""
        rows = latents.reshape(-1, self.dim)
        mixtures, drawn, commitments, divergences = by_chunks(self._posterior, rows, width=self.codebook_size)
        commitment, divergence = commitments.mean(), divergences.mean()
        loss = (self.commitment_weight * commitment + self.kl_weight * divergence) / self._loss_divisor()
        log = {
            "commitment": commitment.detach(),
            "kl": divergence.detach(),
            "temperature": torch.tensor(self.temperature),
        }
        if not self.training:
            codes = self.encode(latents)
            return Quantized(self.decode(codes), codes, loss, log)
        self.counts += code_counts(drawn, self.codebook_size)
        return Quantized(mixtures.reshape(latents.shape), drawn.reshape(*latents.shape[:-1], 1), loss, log)

    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the nearest codewords, or those drawn by noise that is always the same."""
        if not self.draws:
            return super().encode(latents)
        rows = latents.reshape(-1, self.dim)
        generator = torch.Generator(rows.device).manual_seed(_DRAWING)
        with torch.no_grad():
            pieces = rows.split(max(1, chunk_elements(rows.device) // self.codebook_size))
            scores = (-self._distances(piece) for piece in pieces)
            codes = torch.cat([(piece + gumbel_noise(piece, generator)).argmax(1) for piece in scores])
        return codes.reshape(*latents.shape[:-1], 1)

    @classmethod
    def not_promised(cls, **params: Any) -> Mapping[str, str]:
        """Codes that are drawn depend on the place of a latent in its batch."""
        return {"independence": "draws codes by noise that depends on the place"} if params.get("draws") else {}

    @torch.no_grad()
    def after_step(self) -> None:
        """Reset the least used codeword where it is due."""
        if self.reset_every and self.steps % self.reset_every == 0:
            most, least = self.counts.argmax(), self.counts.argmin()
            if self.counts[least] < _RESET_SHARE * self.counts[most]:
                noise = broadcast(torch.randn_like(self.codebook[most]))
                self.codebook[least] = self.codebook[most] + _RESET_NOISE * noise
            self.counts.zero_()
        self.steps += 1

    def _loss_divisor(self) -> float:
        """By what means over positions are divided."""
        if self.loss_per == "position":
            return 1.0
        if self.values_per_position is None:
            raise UsageError("`hqa`: loss_per `value` is for the quantizer of a model, not for one within another")
        return self.values_per_position

    def _distances(self, rows: Tensor) -> Tensor:
        """``[n, K]``, squared."""
        products = rows @ self.codebook.T
        return rows.square().sum(1, keepdim=True) + self.codebook.square().sum(1) - 2 * products

    def _posterior(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of rows ``[n, D]``: mixtures ``[n, D]``, codes, commitment, KL ``[n]``; in eval mode the last two alone."""
        distances = self._distances(rows)
        log_probabilities = (-distances).log_softmax(1)
        probabilities = log_probabilities.exp()
        commitments = (probabilities * distances).sum(1)
        divergences = (probabilities * (log_probabilities + math.log(self.codebook_size))).sum(1)
        if not self.training:
            return rows, rows, commitments, divergences
        scores = log_probabilities + gumbel_noise(distances)
        mixtures = (scores / self.temperature).softmax(1) @ self.codebook
        return mixtures, scores.argmax(1), commitments, divergences
