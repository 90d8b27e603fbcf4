"""Noise that makes the argmax of logits a draw from their softmax."""

import torch
from torch import Tensor


def gumbel_noise(like: Tensor) -> Tensor:
    """Standard Gumbel noise of the shape of ``like``: -ln(-ln U), U uniform."""
    tiny = torch.finfo(like.dtype).tiny
    # A CPU draws uniform numbers six times as fast as exponential ones, which would save a logarithm.
    exponential = torch.empty_like(like).uniform_().clamp_(min=tiny).log_().neg_()
    return exponential.clamp_(min=tiny).log_().neg_()
