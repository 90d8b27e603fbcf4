"""Upkeep by averages over the steps: codewords that are moving averages, and those too rarely used redrawn."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from methods.core.usage import UsageError, check_range
from methods.parts.statistics import candidate_rows, code_counts, num_rows, random_rows
from methods.parts.upkeep_base import Upkeep

if TYPE_CHECKING:
    from methods.parts.kept_codebook import KeptCodebook

_MAX_DECAY = 0.999999
"""At 1 nothing would ever be averaged in, and the correction would divide by zero."""
_SMALLEST_THRESHOLD = 1e-6


class MovingAverages(Upkeep):
    """``ema``: a codeword is the moving average of the latents assigned to it (arXiv 1711.00937, App. A.1).

    Args:
        decay: decay of the moving averages of counts and sums, below 1.
        epsilon: Laplace smoothing of the counts, above 0.
        debias: averages start at zero and are corrected; see `vq_vae_ema`. Where the codebook starts from data, they
            start at the uniform share N/K and the codewords instead, as an unused codeword would else be zero after
            the first step, and nothing be left of the start.
    """

    averages = True

    def __init__(
        self, quantizer: "KeptCodebook", *, decay: float = 0.99, epsilon: float = 1e-5, debias: bool = True
    ) -> None:
        super().__init__(quantizer)
        check_range("decay", decay, 0, _MAX_DECAY)
        check_range("epsilon", epsilon, 1e-12)
        self.kept_start = debias and quantizer.from_data
        self.statistics = self._averages_of(decay=decay, epsilon=epsilon, debias=debias and not self.kept_start)

    def begin(self, rows: Tensor) -> None:
        """Averages at a start from data; else without correction sums at the codewords."""
        statistics, codebook = self.statistics, self.quantizer.codebook
        if statistics.sums is None or statistics.debias or statistics.steps:
            return
        if self.kept_start:
            statistics.restart(None, num_rows(rows) / self.quantizer.codebook_size, codebook)
        else:
            statistics.sums.copy_(codebook)

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Update averages and codebook."""
        self.statistics.update(rows, codes)
        self.statistics.means(out=self.quantizer.codebook)
        return {}


class Reset(Upkeep):
    """``reset``: a codeword too rarely used becomes a random latent of the batch (Jukebox, arXiv 2005.00341).

    Args:
        decay: decay of the moving averages.
        threshold: average uses a step below which a codeword is redrawn, in multiples of the uniform share N/K.
        absolute_threshold: the threshold is a number of latents.
        keep_statistics: whether a redrawn codeword keeps its averages; see `codebook_reset`.
    """

    averages = True
    sets_codewords = True

    def __init__(
        self,
        quantizer: "KeptCodebook",
        *,
        decay: float = 0.99,
        threshold: float = 0.01,
        absolute_threshold: bool = False,
        keep_statistics: bool = True,
    ) -> None:
        super().__init__(quantizer)
        check_range("decay", decay, 0, 1)
        check_range("threshold", threshold, _SMALLEST_THRESHOLD)
        self.threshold = threshold
        self.absolute_threshold = absolute_threshold
        self.keep_statistics = keep_statistics
        self.statistics = self._averages_of(decay=decay)

    def begin(self, rows: Tensor) -> None:
        """Averages at the threshold."""
        if not self.statistics.counts.any():
            self.statistics.restart(None, self._uses_to_stay(rows), self.quantizer.codebook)

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Fold the batch into the averages and redraw."""
        statistics, threshold = self.statistics, self._uses_to_stay(rows)
        statistics.update(rows, codes)
        redrawn = statistics.counts < threshold
        candidates = candidate_rows(rows, self.quantizer.codebook_size)
        if statistics.sums is not None:
            torch.div(statistics.sums, statistics.counts[:, None], out=self.quantizer.codebook)
        self._put(redrawn, candidates)
        if not self.keep_statistics:
            statistics.restart(redrawn, threshold, candidates)
        return {"redrawn": redrawn.float().mean()}

    def _uses_to_stay(self, rows: Tensor) -> Tensor:
        """Latents a step, on average, that keep a codeword from being redrawn."""
        if self.absolute_threshold:
            return torch.tensor(self.threshold, device=rows.device)
        return self.threshold * num_rows(rows) / self.quantizer.codebook_size


class Expiry(Upkeep):
    """``expiry``: a codeword whose average count falls below a number of latents becomes a latent of the batch.

    EnCodec's (arXiv 2210.13438), as vector-quantize-pytorch has put it right; see `ema_expiry`.

    Args:
        decay: decay of the moving averages.
        threshold: average number of latents a step below which a codeword expires.
        epsilon: Laplace smoothing of the counts.
        undone: codewords are replaced before the averages are folded in, which puts the old ones back: EnCodec's fault.
    """

    averages = True
    sets_codewords = True

    def __init__(
        self,
        quantizer: "KeptCodebook",
        *,
        decay: float = 0.99,
        threshold: float = 2.0,
        epsilon: float = 1e-5,
        undone: bool = False,
    ) -> None:
        super().__init__(quantizer)
        check_range("decay", decay, 0, _MAX_DECAY)
        check_range("threshold", threshold, 0)
        check_range("epsilon", epsilon, 1e-12)
        if undone and not quantizer.averaged:
            raise UsageError("upkeep `expiry` can only be undone by moving averages, which do not set codewords here")
        self.threshold = threshold
        self.undone = undone
        self.statistics = self._averages_of(decay=decay, epsilon=epsilon)

    def begin(self, rows: Tensor) -> None:
        """Averages at the counts of the first batch, and at the codewords."""
        if not self.statistics.counts.any():
            counts = code_counts(self.quantizer.encode(rows), self.quantizer.codebook_size)
            if self.undone or not self.threshold:  # nothing replaces what the first batch misses; it stays where it is
                counts = torch.where(counts > 0, counts, num_rows(rows) / self.quantizer.codebook_size)
            self.statistics.restart(None, counts, self.quantizer.codebook)

    def observe(self, rows: Tensor, codes: Tensor) -> dict[str, Tensor]:
        """Fold the batch into the averages, and replace what has expired."""
        statistics = self.statistics
        if self.undone:
            expired = statistics.counts < self.threshold
            self._put(expired, random_rows(rows.float(), self.quantizer.codebook_size))
        statistics.update(rows, codes)
        if statistics.sums is not None:
            statistics.means(out=self.quantizer.codebook)
        if not self.undone:
            expired = statistics.counts < self.threshold
            candidates = random_rows(rows.float(), self.quantizer.codebook_size)
            self._put(expired, candidates)
            statistics.restart(expired, torch.tensor(self.threshold, device=rows.device), candidates)
        return {"expired": expired.float().mean()}
