"""SQ-VAE: codes drawn from a Gaussian posterior whose variance is learned and shrinks by itself."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_choice, check_range
from methods.parts.codebook import CodebookQuantizer
from methods.parts.gumbel import gumbel_noise
from methods.parts.recompute import by_chunks

_SMALLEST_VARIANCE = 1e-10


@register("sq_vae")
class SQVAE(CodebookQuantizer):
    """Posterior P ∝ exp(-|z - e|² / 2σ²) over the codes; in training a Gumbel-softmax mixture of codewords.

    Takida et al., "SQ-VAE: Variational Bayes on Discrete Representation with Self-annealed Stochastic
    Quantization", ICML 2022, arXiv 2205.07547, Gaussian types I to III. Its loss is a bound on the likelihood:
    sums over positions, weight 1, and its own reconstruction term. In eval mode the most probable code.

    Args:
        variance_type: σ² = exp(l) + exp(s) with a learned scalar s, and l of the latents: ``I`` 0, ``II`` one an
            example, ``III`` one a position.
        initial_variance: exp(s) at the start.
        temperature: of the Gumbel-softmax in the first step.
        final_temperature: in the last; it falls exponentially between.
        temperature_decay: above 0, the temperature after n steps is that of the first times exp(-decay · n), however
            long the run, and ``final_temperature`` is the least that it falls to. The paper's code has 1e-5.
    """

    card = Card(
        idea="codes are drawn from a posterior whose learned variance shrinks as training goes on",
        paper='Takida et al., "SQ-VAE: Variational Bayes on Discrete Representation with Self-annealed Stochastic '
        'Quantization", ICML 2022, arXiv 2205.07547',
        code="sony/sqvae, vision/quantizer.py, GaussianVectorQuantizer, and vision/model.py, GaussianSQVAE",
        trains="codebook (K x D), variance scalar; types II and III also a head (D x D and D) for the variance",
        memory="N·D + K·D; N x K tensors a chunk at a time, recomputed in the backward pass",
        schedule="the temperature falls exponentially from 1 in the first step to 0.15 in the last, or by "
        "temperature_decay a step where that is set; the variance has no schedule, it is trained",
        differences=(
            "types II and III take l from the latents by a two-layer head that starts at zero; theirs from a second "
            "output of the encoder, averaged over channels",
            "the temperature falls from 1 to 0.15 over the run, however many steps there are; theirs is "
            "exp(-1e-5 · step), which is 0.15 after 190,000 steps and 0.21 at the end of their Fashion-MNIST setting "
            "(156,300 steps); temperature_decay 1e-5 is theirs",
            "type II works on any latent grid; theirs on 8 x 8 only",
            "type IV (a variance a channel) and the von Mises-Fisher version are left out",
            "the training codes are the most probable ones; theirs are soft",
        ),
        evidence=(
            "authors' GaussianVectorQuantizer and reconstruction term, types I to III with the same log-variances and "
            "noise, 20 steps, K = 48, D = 16, whole and in chunks: outputs within 4.6e-6, loss 1.4e-7 and gradients "
            "3.3e-6 of their size, an Adam step within 4.8e-7, eval output bit for bit",
            "with the model `sq_vae` beside the authors' networks of 28 and 32 px, the same start, batches, noise and "
            "temperature_decay 1e-5: as many weights (232,193 and 308,483); fp32 with the same weights, latents within "
            "6.0e-7 and reconstructions 6.0e-8; 20 steps of Adam in fp64, loss within 2.3e-16 of its size, codebook "
            "1.4e-15",
        ),
        distributed="noise and the logarithm of the reconstruction error are each process's own, so two processes "
        "differ from one",
    )
    knob = Knob("initial_variance", (0.1, 1.0, 10.0), below=(0.01,), above=(100.0,))
    max_codebook_size_cpu = 4096
    added = ("temperature_decay",)

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        variance_type: str = "I",
        initial_variance: float = 10.0,
        temperature: float = 1.0,
        final_temperature: float = 0.15,
        temperature_decay: float = 0.0,
    ) -> None:
        super().__init__(codebook_size, dim)
        check_choice("variance_type", variance_type, ("I", "II", "III"))
        check_range("initial_variance", initial_variance, 1e-6)
        check_range("temperature", temperature, 1e-6)
        check_range("final_temperature", final_temperature, 1e-6)
        check_range("temperature_decay", temperature_decay, 0.0)
        self.variance_type = variance_type
        self.first_temperature = self.temperature = temperature
        self.final_temperature = final_temperature
        self.temperature_decay = temperature_decay
        self.codebook = nn.Parameter(torch.randn(self.codebook_size, dim))
        self.log_variance = nn.Parameter(torch.tensor(initial_variance).log())
        self.head = None if variance_type == "I" else _variance_head(dim)

    @classmethod
    def not_as_published(cls, **params: Any) -> str:
        """The temperature's fall, where it hangs on the length of a run."""
        if params.get("temperature_decay"):
            return ""
        ends = params.get("temperature", 1.0), params.get("final_temperature", 0.15)
        return (
            f"its temperature falls from {ends[0]:g} to {ends[1]:g} over the run, however short, and the authors' by "
            "exp(-1e-5) a step"
        )

    def anneal(self, step: int, total_steps: int) -> None:
        """Set the temperature of the Gumbel-softmax; the code of the paper counts the first step as one."""
        if self.temperature_decay:
            fallen = self.first_temperature * math.exp(-self.temperature_decay * (step + 1))
            self.temperature = max(fallen, self.final_temperature)
            return
        progress = step / max(1, total_steps - 1)
        self.temperature = self.first_temperature * (self.final_temperature / self.first_temperature) ** progress

    def forward(self, latents: Tensor) -> Quantized:
        """Loss an example: the sum over positions of Σ_k P ln P and of |z - z_q|² / 2σ², without stop-gradients."""
        codes = self.encode(latents)
        variance = self.variance(latents)
        rows, variances = latents.reshape(-1, self.dim), variance.reshape(-1, 1)
        mixtures, negative_entropies = by_chunks(self._posterior, rows, variances, width=self.codebook_size)
        quantized = mixtures.reshape(latents.shape) if self.training else self.decode(codes)
        distances = (latents - quantized).square().sum(-1, keepdim=True) / (2 * variance)
        loss = (negative_entropies.sum() + distances.sum()) / latents.shape[0]
        log = {
            "variance": variance.detach().mean(),
            "posterior_entropy": -negative_entropies.detach().mean(),
            "temperature": torch.tensor(self.temperature),
        }
        return Quantized(quantized, codes, loss, log)

    def reconstruction_loss(self, errors: Tensor, numel: int) -> Tensor:
        """D_x/2 · ln of the mean of ``errors``: the likelihood with the best decoder variance, up to a constant."""
        return numel / 2 * errors.mean().clamp(min=torch.finfo(errors.dtype).tiny).log()

    def variance(self, latents: Tensor) -> Tensor:
        """σ² of each position, ``[B, *positions, 1]``."""
        log_variance = latents.new_zeros(*latents.shape[:-1], 1)
        if self.head is not None:
            log_variance = self.head(latents)
            if self.variance_type == "II":
                positions = tuple(range(1, latents.dim()))
                log_variance = log_variance.mean(positions, keepdim=True).expand(*latents.shape[:-1], 1)
        return (log_variance.exp() + self.log_variance.exp()).clamp(min=_SMALLEST_VARIANCE)

    def _posterior(self, rows: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
        """Gumbel-softmax mixture ``[n, D]`` (zeros in eval mode) and Σ_k P ln P ``[n]`` of rows ``[n, D]``."""
        # |z|² is the same for all codes and drops out of the softmax.
        logits = (rows @ self.codebook.T - self.codebook.square().sum(1) / 2) / variances
        log_probabilities = logits.log_softmax(1)
        negative_entropies = (log_probabilities.exp() * log_probabilities).sum(1)
        if not self.training:
            return torch.zeros_like(rows), negative_entropies
        weights = ((log_probabilities + gumbel_noise(logits)) / self.temperature).softmax(1)
        return weights @ self.codebook, negative_entropies


def _variance_head(dim: int) -> nn.Sequential:
    head = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))
    last: Any = head[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return head
