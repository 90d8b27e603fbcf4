"""How gradients pass a quantizer: the straight-through estimator, and a scale on the gradient alone."""

from typing import Any

import torch
from torch import Tensor


def straight_through(latents: Tensor, quantized: Tensor) -> Tensor:
    """The value of ``quantized`` with the gradient of ``latents`` (Bengio et al., arXiv 1308.3432).

    Equal to ``quantized`` up to rounding, not bit for bit: in eval mode return ``quantized`` itself.
    """
    return latents + (quantized - latents).detach()


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradients[0], None


def scale_gradient(tensor: Tensor, factor: float) -> Tensor:
    """The tensor itself, bit for bit, with ``factor`` times its gradient."""
    return _ScaleGradient.apply(tensor, factor)
