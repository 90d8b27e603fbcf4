"""NSVQ: in training the quantization error is replaced by noise of the same length."""

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.vq_vae import VQVAE


@register("nsvq")
class NSVQ(VQVAE):
    """Training output z + |q - z| · v / |v| with v ~ N(0, I): differentiable in z and in the codeword, no loss.

    Vali and Bäckström, "NSVQ: Noise Substitution in Vector Quantization for Machine Learning", IEEE Access 10,
    2022. (Not the "non-stationary" quantizers of 2026 that bear the same letters.)

    Args:
        replace_every: training steps after which unused codewords become copies of used ones; 0 never.
        replace_share: share of the run after which nothing is replaced, so that every codeword has time to settle;
            by default the 18,000 of 20,000 steps of the authors' example.
        threshold: share of these steps in which a codeword must have been used to count as used.
        init: start of the codebook: ``normal`` N(0, 1), ``uniform`` U(-1/K, 1/K), or ``kmeans`` of the first
            batches' latents.
    """

    card = Card(
        idea="training adds noise as long as the quantization error, through which codewords get gradients",
        paper='Vali, Bäckström, "NSVQ: Noise Substitution in Vector Quantization for Machine Learning", '
        "IEEE Access 10, 2022",
        code="MHVali/Noise-Substitution-in-Vector-Quantization, NSVQ.py, NSVQ",
        trains="codebook (K x D), by the gradient of the reconstruction alone",
        memory="N·D + K·D",
        schedule="codewords are replaced in the first 90 % of the run (`replace_share`); `replace_every` is in steps, "
        "as an unused codeword is known by how many latents could have chosen it (by default 100·N/K), however long "
        "the run",
        differences=(
            "replacement ends after 0.9 of the run; theirs two windows before its end, which is the same in their "
            "example of 20,000 steps with windows of 1,000",
            "unused codewords copy used ones in random order; where there are enough, the authors' code copies the "
            "used ones of lowest index",
            "use is counted over all processes and saved with the model",
            "codewords are replaced after the optimiser's step, every 100 steps (the authors' recommendation; 1000 in "
            "their example)",
        ),
        evidence=(
            "authors' NSVQ, same noise, 20 Adam steps, K = 64, D = 16: output within 4.8e-7, gradients 1.4e-9, "
            "codebook 1.2e-7; in 60 steps with windows of 10 the same 271 codewords are replaced",
        ),
        distributed="codebook and counters are the same on all processes; the noise of a latent is drawn by its own "
        "process, so half batches equal the whole in distribution only",
    )
    knob = Knob("replace_every", (100, 300, 1000), below=(30, 10), above=(3000,))
    version = 2
    own_upkeep = "copies"

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        replace_every: int = 100,
        replace_share: float = 0.9,
        threshold: float = 0.01,
        init: str = "normal",
    ) -> None:
        copies = {
            "every": replace_every,
            "share": replace_share,
            "threshold": threshold,
            "weighted": False,
            "perturbation": 1e-12,
        }
        super().__init__(
            codebook_size, dim, beta=0.0, init=init, estimator="nsvq", upkeep=self.own_upkeep, upkeep_params=copies
        )
