"""Noise that makes the argmax of logits a draw from their softmax."""

import torch
from torch import Tensor


def gumbel_noise(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Standard Gumbel noise of the shape of ``like``: -ln(-ln U), U uniform, by default of torch's own generator."""
    tiny = torch.finfo(like.dtype).tiny
    # A CPU draws uniform numbers six times as fast as exponential ones, which would save a logarithm.
    exponential = torch.empty_like(like).uniform_(generator=generator).clamp_(min=tiny).log_().neg_()
    return exponential.clamp_(min=tiny).log_().neg_()
