"""Entropies of soft assignments: of each latent's, and of their mean over the batch, in nats.

Where a code is a row of bits and its probability the product of theirs, nothing of size N x K is ever held.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from methods.parts.processes import sum_over_processes
from methods.parts.statistics import num_rows


def entropy(probabilities: Tensor, epsilon: float) -> Tensor:
    """-Σ p ln(p + epsilon) over the last axis; epsilon keeps the gradient finite where p is 0."""
    return -(probabilities * torch.log(probabilities + epsilon)).sum(-1)


def bit_entropies(logits: Tensor) -> Tensor:
    """Entropy of a bit that is set with probability sigmoid(logit), element by element."""
    size = logits.abs()
    return softplus(-size) + size * torch.sigmoid(-size)


def mean_bit_probabilities(logits: Tensor) -> Tensor:
    """Mean over the rows of all processes of the probability that each bit is set: ``[N, d]`` to ``[d]``."""
    return sum_over_processes(torch.sigmoid(logits).sum(0)) / num_rows(logits)


def mean_code_probabilities(logits: Tensor) -> Tensor:
    """Mean over the rows of all processes of the probability of each code: logits ``[N, d]`` of bits to ``[2^d]``.

    Bit j is worth 2^j. A row's probabilities are the outer product of those of its lower and its upper
    bits, so their sum over rows is one matrix product: exact, in memory N·2^(d/2) + 2^d.
    """
    lower = logits.shape[1] // 2
    products = [_products(part) for part in (logits[:, lower:], logits[:, :lower])]
    return sum_over_processes((products[0].T @ products[1]).flatten()) / num_rows(logits)


def _products(logits: Tensor) -> Tensor:
    """Probabilities ``[N, 2^b]`` of all patterns of b independent bits."""
    products = logits.new_ones(logits.shape[0], 1)
    for bit in logits.unbind(1):
        clear, is_set = torch.sigmoid(-bit)[:, None], torch.sigmoid(bit)[:, None]
        products = torch.cat([products * clear, products * is_set], dim=1)
    return products
