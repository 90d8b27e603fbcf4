"""How gradients pass a quantizer: straight through, rotated with the latent, through the error's length, or scaled."""

from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm


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


_TINY = 1e-12


def substitute_error(latents: Tensor, quantized: Tensor, direction: Tensor) -> Tensor:
    """Latents plus ``|quantized - latents|`` along ``direction`` (detached), all ``[..., D]``.

    Latents and codewords get their gradient through the length of the error.
    """
    direction = direction.detach()
    unit = direction / vector_norm(direction, dim=-1, keepdim=True).clamp_min(_TINY)
    return latents + vector_norm(quantized - latents, dim=-1, keepdim=True) * unit


def substitute_noise(latents: Tensor, quantized: Tensor) -> Tensor:
    """The error along Gaussian noise, whatever its own direction (NSVQ, IEEE Access 10, 2022)."""
    return substitute_error(latents, quantized, torch.randn_like(quantized))


def divert(latents: Tensor, quantized: Tensor, noise: float = 1e-3) -> Tensor:
    """The error along its own direction, disturbed by Gaussian noise (DiVeQ, arXiv 2509.26469)."""
    error = quantized - latents
    return substitute_error(latents, quantized, error + noise * torch.randn_like(error) if noise else error)


ESTIMATORS = {"straight_through": straight_through, "rotation": rotate, "nsvq": substitute_noise, "diveq": divert}
"""What a method can be asked for by name, each a function of latents and codewords ``[..., D]``."""
SUBSTITUTING = ("nsvq", "diveq")
"""Those by which the reconstruction's gradient reaches the codewords too, so that there is no loss beside it."""


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
