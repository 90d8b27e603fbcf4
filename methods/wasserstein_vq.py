"""Wasserstein-VQ: the codebook's mean and covariance are drawn to those of recent latents."""

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_choice, check_range
from methods.parts.codebook import CodebookQuantizer, new_codebook, vq_loss
from methods.parts.entropy import ENTROPY_OPTIONS, EntropyRegularised
from methods.parts.estimators import straight_through
from methods.parts.processes import gather_rows

_SMALLEST_STD = 1e-3
_TINY_EIGENVALUE = 1e-8
"""Added under the root of each eigenvalue, so that its gradient is finite (as in the authors' code)."""


@register("wasserstein_vq")
class WassersteinVQ(EntropyRegularised, CodebookQuantizer):
    """VQ-VAE plus gamma · W2 between Gaussians with the moments of the codebook and of a queue of latents.

    Fang et al., "Distributional Matching for Vector Quantization: A Unified Theoretical and Empirical Framework",
    arXiv 2506.15078. The distance moves the codebook only; both sides are divided by the largest standard
    deviation of the queue's coordinates.

    Args:
        beta: weight of the commitment loss; the codebook loss has weight 1.
        gamma: weight of the distance.
        queue_size: how many of the latest latents are matched, over all processes; until that many have come,
            the rest is N(0, 0.01²), as the codebook is at first. 0 matches the batch itself.
        codebook_weight: weight of the codebook loss, 1 but in the authors' study without an encoder.
        normalise: False leaves both sides as they are, as in that study.
        init: start of the codebook: ``small`` N(0, 0.01²), ``unit_uniform`` U(-1, 1) or ``normal`` N(0, 1), as there.
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="the codebook's mean and covariance are drawn to those of the latest latents by a Wasserstein distance",
        paper='Fang et al., "Distributional Matching for Vector Quantization: A Unified Theoretical and Empirical '
        'Framework", arXiv 2506.15078',
        code="VQ-Research/Wasserstein-VQ, code/VQVAE/model/wasserstein_quantizer.py, Wasserstein_Quantizer",
        trains="codebook (K x D)",
        memory="N + K·D + queue·D",
        schedule="nothing is annealed by default (see `vq_vae` for entropies); the queue holds a number of latents, by "
        "default 65,536, as the moments need them, and is full after 65,536 / N steps however long the run",
        differences=(
            "the queue takes any number of latents and is the same on all processes; theirs needs a divisor of 65,536 "
            "and holds each process's own",
            "gamma is 0.5, the default of the authors' VQGAN and VAR code; that of their VQ-VAE code is 0 and to be "
            "set",
            "the scale is at least 0.001, so that equal latents give no gradients of 1e8",
            "in eval mode the distance is that to the queue; theirs to the batch",
        ),
        evidence=(
            "Wasserstein_Quantizer in float64, 25 Adam steps at each of three sizes: distance within 1.9e-7, output "
            "and gradient of the latents equal, gradient of the codebook within 1.7e-8 of its largest entry (one of "
            "307,200 codes differs, a tie in fp32)",
            "the same in fp32: gradient of the codebook within 1.7e-5 of its largest entry, distance within 9.6e-4, of "
            "which the rounding of the authors' code against float64 is 9.2e-4",
            "the authors' mean-shift study replayed with their draws, Gaussian law, shift 2: error, usage and "
            "perplexity 7.43428, 4.785 % and 13.639 at step 1 (published 7.43428, 4.785 %, 13.639), 2.5491, 12.07 % "
            "and 337.13 at step 100 (2.5492, 12.07 %, 337.09); shift 8: 8.0165 at step 100, as published; at shift "
            "4 step 1 agrees, step 100 does not (7.42, published 6.31), by which time 10 codewords are in use",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("gamma", (0.1, 0.5, 2.0), below=(0.03,), above=(10.0,))
    added = ("codebook_weight", "normalise", "init", *ENTROPY_OPTIONS)
    queue: Tensor
    position: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 1.0,
        gamma: float = 0.5,
        queue_size: int = 65_536,
        codebook_weight: float = 1.0,
        normalise: bool = True,
        init: str = "small",
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        super().__init__(codebook_size, dim, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        check_range("beta", beta, 0)
        check_range("gamma", gamma, 0)
        check_range("codebook_weight", codebook_weight, 0)
        check_range("queue_size", queue_size, 0)
        self.beta, self.gamma, self.codebook_weight, self.normalise = beta, gamma, codebook_weight, normalise
        check_choice("init", init, ("small", "unit_uniform", "normal"))
        size = self.codebook_size
        codebook = 0.01 * torch.randn(size, dim) if init == "small" else new_codebook(size, dim, init)
        self.codebook = nn.Parameter(codebook)
        self.register_buffer("queue", 0.01 * torch.randn(queue_size, dim))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: codebook_weight · mean |q - sg z|² + beta · mean |sg q - z|² + gamma · W2."""
        codes = self.encode(latents)
        quantized = self.decode(codes)
        output = quantized
        rows = latents.detach().reshape(-1, self.dim)
        if self.training:
            output = straight_through(latents, quantized)
            rows = gather_rows(rows)
            self._enqueue(rows)
        loss, log = vq_loss(latents, quantized, self.beta, self.codebook_weight)
        loss, entropies = self.regularise(loss, latents, self.codebook)
        distance = self.distance(rows)
        log = {**log, **entropies, "wasserstein": distance.detach()}
        return Quantized(output, codes, loss + self.gamma * distance, log)

    def distance(self, rows: Tensor | None = None) -> Tensor:
        """W2 between queue and codebook, both over the queue's largest standard deviation; scalar.

        Without a queue ``rows [N, D]`` stand in its place.
        """
        mean, covariance = moments(self.queue if len(self.queue) or rows is None else rows)
        if not self.normalise:
            return gaussian_wasserstein(mean, covariance, *moments(self.codebook))
        scale = covariance.diagonal().max().sqrt().clamp(min=_SMALLEST_STD)
        return gaussian_wasserstein(mean / scale, covariance / scale**2, *moments(self.codebook / scale))

    @torch.no_grad()
    def _enqueue(self, rows: Tensor) -> None:
        """Overwrite the oldest rows of the queue."""
        size = self.queue.shape[0]
        if not size:
            return
        rows = rows[-size:]
        places = (self.position + torch.arange(rows.shape[0], device=rows.device)) % size
        self.queue[places] = rows
        self.position.copy_((self.position + rows.shape[0]) % size)


def moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[D]`` and unbiased covariance ``[D, D]`` of ``rows [N, D]``; zero covariance of a single row."""
    mean = rows.mean(0)
    centred = rows - mean
    return mean, centred.T @ centred / max(rows.shape[0] - 1, 1)


def gaussian_wasserstein(
    first_mean: Tensor, first_covariance: Tensor, second_mean: Tensor, second_covariance: Tensor
) -> Tensor:
    """W2 of N(m1, C1) and N(m2, C2); gradients reach the second Gaussian only.

    sqrt(|m1 - m2|² + tr(C1 + C2 - 2 (C1^½ C2 C1^½)^½)) for means ``[D]`` and covariances ``[D, D]``
    (Dowson and Landau 1982). Not finite input gives a NaN, no error of the eigenvalue routine.
    """
    first_covariance, second_covariance = first_covariance.detach().double(), second_covariance.double()
    root = _square_root(first_covariance)
    eigenvalues = torch.linalg.eigvalsh(_finite(root @ second_covariance @ root))
    overlap = (eigenvalues.clamp(min=0) + _TINY_EIGENVALUE).sqrt().sum()
    means = (first_mean.detach() - second_mean).square().sum()
    covariances = (first_covariance.trace() + second_covariance.trace() - 2 * overlap).relu()
    return (means + covariances + 1e-10).sqrt().to(means.dtype)


def _square_root(covariance: Tensor) -> Tensor:
    eigenvalues, vectors = torch.linalg.eigh(_finite(covariance))
    return (vectors * (eigenvalues.clamp(min=0) + _TINY_EIGENVALUE).sqrt()) @ vectors.T


def _finite(matrix: Tensor) -> Tensor:
    return matrix.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
