"""How gradients pass a quantizer: the straight-through estimator."""

from torch import Tensor


def straight_through(latents: Tensor, quantized: Tensor) -> Tensor:
    """The value of ``quantized`` with the gradient of ``latents`` (Bengio et al., arXiv 1308.3432).

    Equal to ``quantized`` up to rounding, not bit for bit: in eval mode return ``quantized`` itself.
    """
    return latents + (quantized - latents).detach()
