"""The identity: latents pass unquantized. The floor of the reconstruction error."""

from typing import Any

from torch import Tensor

from methods.core.base import Card, Quantized, Quantizer
from methods.core.registry import register


@register("no_quantization")
class NoQuantization(Quantizer):
    """A reference, not a remedy: what the autoencoder reaches with continuous latents."""

    card = Card(
        idea="latents pass unchanged: the floor of the error",
        paper="none (reference)",
        trains="nothing",
        memory="nothing",
        evidence=("the output is the input, bit for bit",),
        distributed=Card.SAME_AS_ONE,
    )
    reference = True
    has_codes = False

    @classmethod
    def resolve_size(cls, codebook_size: int, **params: Any) -> tuple[int, ...]:
        """No levels: one run serves every codebook size."""
        return ()

    def forward(self, latents: Tensor) -> Quantized:
        """The latents themselves, no codes, no loss."""
        return Quantized(latents, None, latents.new_zeros(()))
