"""The rotation trick: the gradient reaches the encoder rotated and scaled as the latent is to its codeword."""

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.vq_vae_ema import VQVAEEMA


@register("rotation_trick")
class RotationTrick(VQVAEEMA):
    """A codebook of moving averages whose gradient estimator is a rotation instead of the identity.

    Fifty et al., "Restructuring Vector Quantization with the Rotation Trick", ICLR 2025, arXiv
    2410.06424. The gradient keeps at the latent the angle that it has to the codeword.

    Args:
        beta: weight of the commitment loss.
        decay: decay of the moving averages of counts and sums.
        epsilon: Laplace smoothing of the counts.
        debias: whether the averages are corrected for their start at zero, as in `vq_vae_ema`; False
            is what the authors' code does.
    """

    card = Card(
        idea="the gradient reaches the latent through the rotation and scaling that take it to its codeword",
        paper='Fifty et al., "Restructuring Vector Quantization with the Rotation Trick", ICLR 2025, arXiv 2410.06424',
        code="cfifty/rotation_trick, src/models/vq_vae.py, VQVAE",
        trains="nothing by gradient; codebook (K x D) by moving averages",
        memory="N·D + K·D",
        schedule="nothing is annealed, and the codebook does not follow the run's learning rate; the moving averages "
        "look back over 1 / (1 - decay) steps, by default 5, as a codeword's mean needs a number of latents (5·N/K) "
        "however long the run",
        differences=(
            "the Euclidean codebook of the paper; its cosine variant is not here",
            "finite at antipodes (a reflection) and at latents of zero (straight through), where theirs divides zero "
            "by zero or scales by a million",
            "codewords start at U(-sqrt(3/D), sqrt(3/D)) and averages are debiased, as in `vq_vae_ema`; theirs start "
            "at U(-sqrt(6/(K·D)), sqrt(6/(K·D))) with counts of zero, which throws unused codewords far out at first",
        ),
        evidence=(
            "the authors' code over three training steps on 512 latents each, K = 256, D = 32, `debias: false`: same "
            "codes, output within 4.6e-6, gradients within 1.7e-6 of at most 4.1, codebooks within a relative 2.3e-7",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("decay", (0.8, 0.9, 0.99), below=(0.5,), above=(0.999,))
    preset_estimator = "rotation"

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 1.0,
        decay: float = 0.8,
        epsilon: float = 1e-5,
        debias: bool = True,
    ) -> None:
        super().__init__(codebook_size, dim, beta=beta, decay=decay, epsilon=epsilon, debias=debias)
