"""What the codewords before a trained map would make of the same latents: is the use in C, or only in C·Wᵀ?"""

from torch import Tensor

from benchmark.metrics.base import Value
from benchmark.metrics.codes import CodeStatistics, effective_rank
from methods.parts.nearest import nearest_codes


class UnmappedStatistics:
    """Usage, perplexity and effective rank of ``codewords [K, D]``, each latent given to the nearest of them."""

    def __init__(self, codewords: Tensor) -> None:
        self._codewords = codewords.detach()
        self._codes = CodeStatistics((len(codewords),), codewords.device)

    def update(self, latents: Tensor) -> None:
        """Add latents ``[B, *positions, D]``."""
        self._codes.update(nearest_codes(latents.reshape(-1, latents.shape[-1]), self._codewords)[:, None])

    def compute(self) -> dict[str, Value]:
        """``usage_unmapped``, ``perplexity_unmapped``, ``effective_rank_unmapped``."""
        measured = self._codes.compute()
        return {
            "usage_unmapped": measured["usage"],
            "perplexity_unmapped": measured["perplexity"],
            "effective_rank_unmapped": effective_rank(self._codewords),
        }
