"""Codebooks whose codewords a network makes of all rows at once: what a step of theirs is."""

from torch import Tensor

from methods.core.base import Quantized
from methods.core.usage import UsageError, check_range
from methods.parts.codebook import CodebookQuantizer, vq_loss
from methods.parts.entropy import EntropyRegularised
from methods.parts.estimators import straight_through


class MadeCodebook(EntropyRegularised, CodebookQuantizer):
    """The gradient of the codewords goes into the network, which a subclass applies in `effective_codebook`.

    A subclass sets ``beta``, the weight of the commitment loss.
    """

    beta: float

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: mean |q - sg z|² + beta · mean |sg q - z|², on the q before straight-through."""
        effective = self.effective_codebook()
        codes = self.nearest(latents, effective)
        quantized = effective[codes.squeeze(-1)]
        loss, log = vq_loss(latents, quantized, self.beta)
        loss, entropies = self.regularise(loss, latents, effective)
        output = straight_through(latents, quantized) if self.training else quantized
        return Quantized(output, codes, loss, {**log, **entropies})


def check_transformer(width: int, depth: int, heads: int) -> None:
    """Raise a `UsageError` unless a transformer over codewords can have such sizes."""
    check_range("width", width, 1)
    check_range("depth", depth, 0)
    check_range("heads", heads, 1)
    if width % heads:
        raise UsageError(f"width must be a multiple of heads, and {width} is none of {heads}")
