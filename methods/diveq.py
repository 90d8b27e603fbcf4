"""DiVeQ: in training the quantization error is added along its own, slightly disturbed direction."""

import torch
from torch import Tensor

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import check_choice, check_range
from methods.parts.estimators import divert
from methods.vq_vae import VQVAE


@register("diveq")
class DiVeQ(VQVAE):
    """Training output z + |q - z| · v / |v| with v = q - z + noise: nearly the codeword, and differentiable.

    Vali, Bäckström, Solin, "DiVeQ: Differentiable Vector Quantization Using the Reparameterization Trick",
    ICLR 2026, arXiv 2509.26469. The space-filling variant is left out: its outputs lie between codewords and are
    no finite code.

    Args:
        noise: standard deviation of the noise; 0 is the authors' variant without noise (DIVEQDetach).
        replace_every: training steps after which unused codewords become copies of used ones; 0 never.
        replace_share: share of the run after which nothing is replaced; 1 is the authors'.
        threshold: share of these steps in which a codeword must have been used to count as used.
        init: start of the codebook: ``uniform`` U(0, 1/K), ``normal`` N(0, 1/K²), or ``kmeans`` of the first
            batches' latents.
    """

    card = Card(
        idea="training adds the error along its own disturbed direction, so that its length carries the gradients",
        paper='Vali, Bäckström, Solin, "DiVeQ: Differentiable Vector Quantization Using the Reparameterization '
        'Trick", ICLR 2026, arXiv 2509.26469',
        code="AaltoML/DiVeQ, vqvae_compression/diveq.py, DIVEQ",
        trains="codebook (K x D), by the gradient of the reconstruction alone",
        memory="N·D + K·D",
        schedule="codewords are replaced in the first 90 % of the run (`replace_share`); `replace_every` is in steps, "
        "as an unused codeword is known by how many latents could have chosen it (by default 100·N/K), however long "
        "the run",
        differences=(
            "replacement ends after 0.9 of the run, as in the authors' example of NSVQ: where the learning rate falls "
            "to 0, later copies stay on the codeword they came from (Fashion-MNIST, K = 1,024, 300 steps, windows of "
            "10: 553 codewords end within 1e-4 of another, 176 with 0.9, at the same error); theirs goes on to the "
            "end, at a quarter of the rate",
            "`noise` is the standard deviation, as the authors' `noise_var` is in fact",
            "use is counted in training only, over all processes; the authors' forward also counts in eval mode",
            "codewords are replaced after the optimiser's step; theirs before the backward pass",
        ),
        evidence=(
            "authors' DIVEQ and DIVEQDetach, same noise, 20 Adam steps, K = 64, D = 16: output, gradients and codebook "
            "equal bit for bit; in 60 steps with windows of 10 the same 269 codewords are replaced",
        ),
        distributed="codebook and counters are the same on all processes; the noise of a latent is drawn by its own "
        "process, so half batches equal the whole in distribution only (exactly with noise=0)",
    )
    knob = Knob("noise", (1e-4, 1e-3, 1e-2), below=(1e-5, 1e-6), above=(3e-2, 1e-1))
    version = 3
    own_upkeep = "copies"

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        noise: float = 1e-3,
        replace_every: int = 100,
        replace_share: float = 0.9,
        threshold: float = 0.01,
        init: str = "uniform",
    ) -> None:
        copies = {
            "every": replace_every,
            "share": replace_share,
            "threshold": threshold,
            "weighted": True,
            "perturbation": 1e-9,
        }
        super().__init__(
            codebook_size, dim, beta=0.0, init=init, estimator="diveq", upkeep=self.own_upkeep, upkeep_params=copies
        )
        check_range("noise", noise, 0)
        self.noise = noise

    def draw_codebook(self, init: str) -> Tensor:
        """The authors' starts, U(0, 1/K) or N(0, 1/K²)."""
        check_choice("init", init, ("uniform", "normal", "kmeans"))
        codebook = torch.empty(self.codebook_size, self.dim)
        if init == "normal":
            return codebook.normal_(std=1 / self.codebook_size)
        return codebook.uniform_(0, 1 / self.codebook_size)

    def estimate(self, latents: Tensor, quantized: Tensor) -> Tensor:
        """The error itself plus Gaussian noise."""
        return divert(latents, quantized, self.noise)
