"""Residual quantization whose levels are SimVQ."""

from typing import Any

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.residual_vq import ResidualVQ


@register("residual_simvq")
class ResidualSimVQ(ResidualVQ):
    """`ResidualVQ` over `SimVQ`: every level has a frozen codebook and a linear map of its own.

    Args:
        depth: number of levels.
        beta: weight of each level's commitment loss.
        dropout: probability that a training step uses the first n levels only.
    """

    card = Card(
        idea="residual quantization, every level a linear map over a frozen codebook of its own",
        paper="residual_vq (Lee et al., CVPR 2022, arXiv 2203.01941) over simvq (Zhu et al., ICCV 2025, arXiv "
        "2411.02038)",
        code="none by either paper's authors; lucidrains/vector-quantize-pytorch has one, ResidualSimVQ",
        trains="depth maps (D x D and bias); the codebooks are frozen",
        memory="N·D + ΣK_j·D",
        schedule="nothing: its levels are `simvq`, which anneals nothing",
        differences=("those of `residual_vq` and `simvq`",),
        evidence=(
            "output, codes, loss and gradients are those of residual_vq with level=simvq, bit for bit; at depth 1 "
            "output and codes are those of simvq",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.1, 0.25, 1.0), below=(0.03, 0.01), above=(3.0, 10.0))

    def __init__(
        self, codebook_size: int, dim: int, *, depth: int = 4, beta: float = 0.25, dropout: float = 0.0
    ) -> None:
        super().__init__(codebook_size, dim, depth=depth, level="simvq", level_params={"beta": beta}, dropout=dropout)

    @classmethod
    def resolve_size(cls, codebook_size: int, *, depth: int = 4, **params: Any) -> tuple[int, ...]:
        """One size a level, with the product asked for."""
        return super().resolve_size(codebook_size, depth=depth, level="simvq")
