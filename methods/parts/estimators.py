"""How gradients pass a quantizer: straight through, rotated with the latent, or scaled alone."""

from typing import Any

import torch
from torch import Tensor


def straight_through(latents: Tensor, quantized: Tensor) -> Tensor:
    """The value of ``quantized`` with the gradient of ``latents`` (Bengio et al., arXiv 1308.3432).

    Equal to ``quantized`` up to rounding, not bit for bit: in eval mode return ``quantized`` itself.
    """
    return latents + (quantized - latents).detach()


_SHORTEST = 1e-6
"""A shorter latent has no direction to rotate."""
_NARROWEST = 1e-3
"""Length of û + q̂ below which rounding swamps the direction halfway between two near-antipodes."""


def rotate(latents: Tensor, quantized: Tensor) -> Tensor:
    """The value of ``quantized``, exactly, with the gradient of the rotation that takes each latent there.

    The Jacobian is (|q| / |z|) R, where R rotates z to the direction of q in the plane of the two
    and is held constant: R = I - 2 r rᵀ + 2 q̂ ûᵀ with û = z / |z|, q̂ = q / |q|, r halfway between
    (Fifty et al., arXiv 2410.06424, Sec. 4.2). At antipodes r vanishes and R is the reflection that
    takes z to q; a latent of zero has no direction and passes straight through.
    """
    target = quantized.detach()
    latent_norm = latents.detach().norm(dim=-1, keepdim=True)
    target_norm = target.norm(dim=-1, keepdim=True)
    start = latents.detach() / latent_norm.clamp(min=_SHORTEST)
    end = target / target_norm.clamp(min=_SHORTEST)
    width = (start + end).norm(dim=-1, keepdim=True)
    halfway = torch.where(width > _NARROWEST, (start + end) / width.clamp(min=_NARROWEST), 0)
    along, across = ((latents * axis).sum(-1, keepdim=True) for axis in (start, halfway))
    rotated = target_norm / latent_norm.clamp(min=_SHORTEST) * (latents - 2 * across * halfway + 2 * along * end)
    moved = torch.where(latent_norm > _SHORTEST, rotated, latents)
    return target + (moved - moved.detach())


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
