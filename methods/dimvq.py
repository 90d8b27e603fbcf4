"""DimVQ: SimVQ whose mapped codebook is kept from falling into few dimensions."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.codebook import vq_loss
from methods.simvq import SimVQ


@register("dimvq")
class DimVQ(SimVQ):
    """SimVQ with a penalty on the correlations between the dimensions of its codewords.

    Zhang, Zhu, Liu, Fu, Xu, "Unveiling And Addressing Dimensional Collapse In Vector Quantization Models Via Codebook
    Regularization", ICML 2026. A codebook that is used in full may still lie in few dimensions.

    Args:
        penalty: weight of the mean square of the entries off the diagonal of ÊᵀÊ, where the rows of Ê are the effective
            codewords at length 1.
        commitment_weight: weight of the commitment loss.
        codebook_weight: weight of the codebook loss.
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="SimVQ with a penalty on correlated dimensions of the mapped codebook",
        paper='Zhang, Zhu, Liu, Fu, Xu, "Unveiling And Addressing Dimensional Collapse In Vector Quantization Models '
        'Via Codebook Regularization", ICML 2026',
        code="ksblk2116/dimvq, taming/modules/vqvae/simvq.py, SimVQ",
        trains="map (D x D and bias); the codebook C (K x D) is frozen",
        memory="N·D + K·D",
        schedule="nothing by default; see `vq_vae` for the entropies'",
        differences=(
            "of the authors' three penalties the one of their configurations (codebook_orth) is here; it is a sum over "
            "the K codewords, so that it grows with the square of K, as in their code, and not the covariance of their "
            "formula",
            "the weights are those that their configurations end up with (their class's legacy=True): 1 for the "
            "commitment and 0.25 for the codebook loss, which in SimVQ's are the other way round",
            "decode looks up the mapped codebook",
        ),
        evidence=(
            "the authors' SimVQ, written out anew from its code (commit 0596b52; codebook_orth, legacy), ten steps of "
            "Adam on 400 latents each, K = 256, D = 16: codes equal; output within 2.4e-7, loss 1.2e-7, gradients "
            "1.1e-8, the map after each step 6.0e-8",
            "the penalty equals the sum over pairs of dimensions in fp64; its gradient that of finite differences",
        ),
    )
    knob = Knob("penalty", (1e-4, 1e-3, 1e-2), below=(1e-5,), above=(1e-1,))

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        penalty: float = 1e-3,
        commitment_weight: float = 1.0,
        codebook_weight: float = 0.25,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        super().__init__(
            codebook_size,
            dim,
            beta=commitment_weight,
            entropy_weight=entropy_weight,
            entropy_temperature=entropy_temperature,
            entropy_start=entropy_start,
            entropy_share=entropy_share,
        )
        check_range("penalty", penalty, 0)
        check_range("codebook_weight", codebook_weight, 0)
        self.penalty = penalty
        self.codebook_weight = codebook_weight

    def losses(self, latents: Tensor, quantized: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """SimVQ's two terms by their weights; in training also the penalty."""
        loss, log = vq_loss(latents, quantized, self.beta, self.codebook_weight)
        if not self.training:
            return loss, log
        correlation = correlated_dimensions(self.effective_codebook())
        return loss + self.penalty * correlation, {**log, "correlation": correlation.detach()}


def correlated_dimensions(codewords: Tensor) -> Tensor:
    """Mean square of the entries off the diagonal of ÊᵀÊ, the rows of Ê those of ``codewords [K, D]`` at length 1."""
    unit = normalize(codewords, dim=1)
    gram = unit.T @ unit
    dim = gram.shape[0]
    return (gram - torch.diag(gram.diagonal())).square().sum() / max(1, dim * (dim - 1))
