"""Entropies of soft assignments: of each latent's, and of their mean over the batch, in nats.

Nothing of size N x K is ever held: where a code is a row of bits its probability is the product of theirs, and else
the rows are seen chunk by chunk.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.utils.checkpoint import checkpoint

from methods.core.base import Quantizer
from methods.core.usage import UsageError, check_range
from methods.parts.processes import sum_over_processes
from methods.parts.recompute import chunk_elements
from methods.parts.statistics import num_rows

_EPSILON = 1e-5
"""That of the authors', inside the logarithm of the mean assignment."""


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


def soft_assignment_entropies(latents: Tensor, codewords: Tensor, temperature: float, epsilon: float) -> list[Tensor]:
    """Mean entropy of the softmax of -|z - e|² / temperature over all codewords e, and the entropy of its mean.

    ``latents [N, D]``, ``codewords [K, D]``; the mean is over the rows of all processes, and both entropies have
    gradients. A chunk of rows is held at a time, and computed anew in the backward pass.
    """

    def of_rows(rows: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        logits = (2 * rows @ words.T - words.square().sum(1)) / temperature  # |z|² is the same for all codewords
        logs = logits.log_softmax(1)
        probabilities = logs.exp()
        return -(probabilities * logs).sum(), probabilities.sum(0)

    chunks = latents.split(max(1, chunk_elements(latents.device) // codewords.shape[0]))
    parts = [checkpoint(of_rows, rows, codewords, use_reentrant=False) for rows in chunks]
    total = sum_over_processes(torch.stack([mean for _, mean in parts]).sum(0))
    own = torch.stack([entropies for entropies, _ in parts]).sum() / latents.shape[0]
    return [own, entropy(total / num_rows(latents), epsilon)]


MOST_CODES = 1 << 18
"""Largest codebook whose softmax over all codes is to be had in reasonable time: N·K·D multiplications, three times."""
MOST_CODES_ON_CPU = 1 << 14


ENTROPY_OPTIONS = ("entropy_weight", "entropy_temperature", "entropy_start", "entropy_share")
"""What `EntropyRegularised` adds to a method's own parameters."""


def fall(step: int, total_steps: int, start: float, share: float) -> float:
    """Factor on a weight that falls from ``start`` to 1 over the first ``share`` of a run."""
    length = share * total_steps
    return 1 + (start - 1) * max(0.0, 1 - step / length) if length else 1.0


class EntropyRegularised(Quantizer):
    """A codebook method that can be asked to make each latent sure of its code, and the batch diverse.

    Adds ``entropy_weight`` times (mean entropy of a latent's soft assignment - entropy of the mean assignment): of the
    softmax of -|z - e|² / ``entropy_temperature`` over all codewords (MAGVIT, arXiv 2212.05199; LlamaGen, XQ-GAN). The
    weight may begin ``entropy_start`` times as large, and fall in ``entropy_share`` of the run (Open-MAGVIT2).
    """

    entropy_weight: float = 0.0
    entropy_temperature: float = 0.01
    entropy_start: float = 1.0
    entropy_share: float = 0.002
    _factor: float = 1.0

    def set_entropy(self, weight: float, temperature: float, start: float, share: float) -> None:
        """Check and keep all."""
        check_range("entropy_weight", weight, 0)
        check_range("entropy_temperature", temperature, 1e-6)
        check_range("entropy_start", start, 0)
        check_range("entropy_share", share, 0, 1)
        self.entropy_weight = weight
        self.entropy_temperature = temperature
        self.entropy_start = start
        self.entropy_share = share

    def anneal(self, step: int, total_steps: int) -> None:
        """The fall of the weight."""
        super().anneal(step, total_steps)
        self._factor = fall(step, total_steps, self.entropy_start, self.entropy_share)

    @classmethod
    def resolve_size(cls, codebook_size: int, *, entropy_weight: float = 0.0, **params: Any) -> tuple[int, ...]:
        """One codebook, of a size whose softmax can be had where it is asked for."""
        if entropy_weight:
            _check_softmax(cls.name, codebook_size, MOST_CODES, "")
        return super().resolve_size(codebook_size, **params)

    @classmethod
    def check_on_cpu(cls, codebook_size: int, *, entropy_weight: float = 0.0, **params: Any) -> None:
        """Smaller ones on a CPU."""
        if entropy_weight:
            _check_softmax(cls.name, codebook_size, MOST_CODES_ON_CPU, " on a CPU")
        super().check_on_cpu(codebook_size, **params)

    def regularise(self, loss: Tensor, latents: Tensor, codewords: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """In training ``loss`` with the entropies of ``latents [..., D]`` added, and the log of both, in nats."""
        if not self.training or not self.entropy_weight:
            return loss, {}
        rows = latents.reshape(-1, codewords.shape[1])
        sample, codebook = soft_assignment_entropies(rows, codewords, self.entropy_temperature, _EPSILON)
        log = {"sample_entropy": sample.detach(), "codebook_entropy": codebook.detach()}
        return loss + self._factor * self.entropy_weight * (sample - codebook), log


def _check_softmax(name: str, codebook_size: int, most: int, where: str) -> None:
    if codebook_size > most:
        raise UsageError(
            f"entropy_weight needs a softmax over all {codebook_size:,} codes of `{name}` for every latent, and is "
            f"declared up to {most:,}{where}; `lfq` and `bsq` have the entropies in factorised form"
        )
