"""What the codes, the codewords and the quantized latents of a whole test set say about collapse."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.metrics.base import Value
from benchmark.metrics.parts.tuples import WORD, TupleHistogram
from methods.parts.nearest import nearest_codes
from methods.parts.processes import all_reduce

KEYS = (
    "usage",
    "usage_effective",
    "perplexity",
    "perplexity_ratio",
    "dead",
    "tokens",
    "ceiling",
    "entropy_bits",
    "bits_per_position",
)
TRAINING_KEYS = ("usage", "usage_tenth", "hit_once", "perplexity", "tokens", "ceiling")
_CHUNK = 2**16


class CodeStatistics:
    """Usage, perplexity and what goes with them, from one exact int64 histogram over the test set.

    A quantizer with L > 1 levels is counted by the tuples of its codes, its K being the product of
    the level sizes, and each level once more by itself. A dropped level (code -1) is not counted;
    neither is, among the tuples, a position with one.

    Args:
        level_sizes: codebook size of each level; empty for a method without codes.
        device: where the codes are.
        bounded: False for codes that are whole numbers of either sign without bound. They have distinct codes and an
            entropy, and no K that would make a usage of them.
        distinct: also count distinct codes where there is a K.
    """

    def __init__(
        self, level_sizes: Sequence[int], device: torch.device | str, *, bounded: bool = True, distinct: bool = False
    ) -> None:
        self.bounded = bounded or not level_sizes
        self._distinct = (distinct and bool(level_sizes)) or not self.bounded
        if not self.bounded:
            self.level_sizes, self._bins = tuple(level_sizes), []
            self._tuples: TupleHistogram | None = TupleHistogram((WORD,), device)
            return
        self.level_sizes = tuple(level_sizes)
        # Bin 0 takes the dropped codes, so that nothing has to be selected (a host synchronisation).
        self._bins = [torch.zeros(size + 1, dtype=torch.int64, device=device) for size in self.level_sizes]
        self._tuples = TupleHistogram(self.level_sizes, device) if len(self.level_sizes) > 1 else None

    def update(self, codes: Tensor) -> None:
        """Count codes int64 ``[B, *positions, L]``."""
        flat = codes.reshape(-1, codes.shape[-1])
        if not self.bounded:
            assert self._tuples is not None
            self._tuples.update(hashed(flat)[:, None])
            return
        assert flat.shape[1] == len(self.level_sizes), (flat.shape, self.level_sizes)
        ones = torch.ones_like(flat[:, 0])
        for bins, column in zip(self._bins, flat.unbind(1), strict=True):
            bins.scatter_add_(0, column + 1, ones)
        if self._tuples is not None:
            self._tuples.update(flat)

    @property
    def counts(self) -> list[np.ndarray]:
        """Histogram int64 ``[K_l]`` of each level, over all processes, each of which must ask."""
        return [all_reduce(bins[1:].clone()).cpu().numpy() for bins in self._bins]

    def compute(self) -> dict[str, Value]:
        """The metrics named in `KEYS`, and for L > 1 again with ``_level_1`` … behind the name.

        All are None for a method without codes, and where no code was counted.
        """
        if not self.level_sizes:
            return dict.fromkeys(KEYS)
        joint = self._joint_counts()
        measured = _describe(joint, self._size())
        if self._distinct:
            measured["distinct"] = int((joint > 0).sum())
        if self._tuples is None or not self.bounded:
            return measured
        for level, (counts, size) in enumerate(zip(self.counts, self.level_sizes, strict=True), 1):
            measured |= {f"{key}_level_{level}": value for key, value in _describe(counts, size).items()}
        return measured

    def compute_training(self) -> dict[str, Value]:
        """Of the codes of a training set, many to a codeword: the metrics named in `TRAINING_KEYS`, ``_train`` behind.

        ``usage_tenth``: share of codewords hit by at least a tenth of their uniform share N/K of the tokens, None where
        that is below 2; ``hit_once``: share of codewords hit exactly once.
        """
        counts, size = self._joint_counts(), self._size()
        measured = _describe(counts, size)
        measured |= {"usage_tenth": None, "hit_once": None}
        if size is not None:
            tenth = counts.sum() / (10 * size)
            measured["usage_tenth"] = int((counts >= tenth).sum()) / size if tenth >= 2 else None
            measured["hit_once"] = int((counts == 1).sum()) / size
        found: dict[str, Value] = {f"{key}_train": measured[key] for key in TRAINING_KEYS}
        return found | ({"distinct_train": int((counts > 0).sum())} if self._distinct else {})

    def _size(self) -> int | None:
        """K of the joint codes; None where they have no bound."""
        return math.prod(self.level_sizes) if self.bounded else None

    def _joint_counts(self) -> np.ndarray:
        """Counts of the codes, or of the tuples of several levels' codes; those never seen may be left out."""
        return self.counts[0] if self._tuples is None else self._tuples.counts()


def ceiling(codebook_size: int, tokens: int) -> float:
    """Expected usage of a uniform source: ``1 − (1 − 1/K)^N``, without cancellation at large K."""
    if codebook_size == 1:
        return 1.0 if tokens else 0.0
    return -math.expm1(tokens * math.log1p(-1 / codebook_size))


def hashed(rows: Tensor) -> Tensor:
    """One word of 62 bits for each of the rows ``[N, D]`` of whole numbers, the same on every machine.

    Of a million different rows two share a word with a probability of about one in ten million.
    """
    factors = torch.randint(2**62, (rows.shape[1],), generator=torch.Generator().manual_seed(0)) * 2 + 1
    return ((rows * factors.to(rows.device)).sum(1) >> 1) & (WORD - 1)


def _describe(counts: np.ndarray, codebook_size: int | None) -> dict[str, Value]:
    """The metrics of one histogram; bins that were never hit may be left out, and the size where there is none."""
    counts = counts[counts > 0]
    tokens, used = int(counts.sum()), len(counts)
    if tokens == 0:
        return dict.fromkeys(KEYS)
    frequencies = counts / tokens
    entropy = -float((frequencies * np.log(frequencies)).sum()) + 0.0
    of_codes: dict[str, Value] = {
        "perplexity": math.exp(entropy),
        "tokens": tokens,
        "entropy_bits": entropy / math.log(2),
    }
    if codebook_size is None:
        return dict.fromkeys(KEYS) | of_codes
    threshold = max(1, -(-tokens // (100 * codebook_size)))
    found = of_codes | {
        "usage": used / codebook_size,
        "usage_effective": int((counts >= threshold).sum()) / codebook_size,
        "perplexity_ratio": math.exp(entropy) / codebook_size,
        "dead": codebook_size - used,
        "ceiling": ceiling(codebook_size, tokens),
        "bits_per_position": math.log2(codebook_size),
    }
    return {key: found[key] for key in KEYS}


@torch.no_grad()
def effective_rank(codewords: Tensor) -> float:
    """Number of dimensions that codewords ``[K, D]`` effectively span about their mean.

    The exponential of the entropy of the normalised singular values (Roy & Vetterli, EUSIPCO 2007)
    of the centred matrix, computed through its D×D covariance in fp64, where singular values below
    the rounding error of the largest eigenvalue count as 0. Codewords that are all equal, and fewer
    than two, span nothing: 0.
    """
    if len(codewords) < 2:
        return 0.0
    chunks = codewords.split(_CHUNK)
    mean = torch.stack([chunk.double().sum(0) for chunk in chunks]).sum(0) / len(codewords)
    centred = ((chunk.double() - mean) for chunk in chunks)
    scatter = torch.stack([chunk.T @ chunk for chunk in centred]).sum(0)
    eigenvalues = torch.linalg.eigvalsh(scatter).cpu().numpy()
    rounding = np.finfo(np.float64).eps * len(eigenvalues) * eigenvalues.max()
    singular = np.sqrt(eigenvalues[eigenvalues > rounding])
    if not len(singular):
        return 0.0
    shares = singular / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def effective_ranks(codewords: Sequence[Tensor] | None, counts: Sequence[np.ndarray]) -> dict[str, Value]:
    """``effective_rank`` of the codewords of each level ``[K_l, D]`` and ``effective_rank_used`` of those that were hit
    (``counts [K_l]``): of one level, or the mean over levels; None where there are no codewords."""
    if codewords is None:
        return {"effective_rank": None, "effective_rank_used": None}
    used = [rows[torch.from_numpy(hits > 0)] for rows, hits in zip(codewords, counts, strict=True)]
    return {
        "effective_rank": sum(map(effective_rank, codewords)) / len(codewords),
        "effective_rank_used": sum(map(effective_rank, used)) / len(used),
    }


def by_level(counts: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The histograms of levels by the names that they have in ``counts.npz``."""
    return {f"level_{level}": histogram for level, histogram in enumerate(counts, 1)}


class QuantizationError:
    """Squared error of the quantized latents over the latents' variance about their mean, in fp64.

    0 is a perfect quantizer, 1 one that answers with the mean of all latents.
    """

    def __init__(self, device: torch.device | str) -> None:
        self._error = torch.zeros((), dtype=torch.float64, device=device)
        self._square = torch.zeros((), dtype=torch.float64, device=device)
        self._rows = 0
        self._sum: Tensor | None = None

    def update(self, latents: Tensor, quantized: Tensor) -> None:
        """Add latents and quantized latents ``[B, *positions, D]``."""
        assert latents.shape == quantized.shape, (latents.shape, quantized.shape)
        rows = latents.reshape(-1, latents.shape[-1]).double()
        self._error += (rows - quantized.reshape(rows.shape).double()).square().sum()
        self._square += rows.square().sum()
        self._sum = rows.sum(0) if self._sum is None else self._sum + rows.sum(0)
        self._rows += len(rows)

    def compute(self) -> float | None:
        """The normalised error over all processes; None where the latents do not vary beyond rounding."""
        assert self._sum is not None, "no latents yet"
        rows = self._error.new_tensor(self._rows)
        error, square, total, count = (all_reduce(t.clone()) for t in (self._error, self._square, self._sum, rows))
        variation = float(square - total.square().sum() / count)
        return float(error) / variation if variation > 1e-12 * float(square) else None


class UnmappedStatistics:
    """Usage, perplexity and effective rank of ``codewords [K, D]``, each latent given to the nearest of them.

    What the codewords before a trained map would make of the same latents: is the use in C, or only in C·Wᵀ?
    """

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
