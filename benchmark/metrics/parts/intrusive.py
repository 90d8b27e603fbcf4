"""Measures of one reconstructed clip against its original, by the packages that define them."""

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.parts.speech import RATE, Facts, Measure, Pair, measures

PESQ_LONGEST = 50 * 97 * 64
"""Samples at 16 kHz (19.4 s) in which no more than 50 utterances fit, for which the package has room: one and its
pause take at least 97 frames of 64 samples. Beyond, it writes over its own figures or ends the process: a value would
mean nothing, and an arm might lose all its metrics for one clip."""


def pesq(original: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> float | None:
    """PESQ, wide band (ITU-T P.862.2), of 16 kHz ``[T]`` by the package `pesq`.

    None where it finds no utterance, and where the clip is longer than `PESQ_LONGEST`, for every arm alike.
    """
    from pesq import PesqError
    from pesq import pesq as score

    if not original.any() or len(original) > PESQ_LONGEST:
        return None
    value = score(RATE, original, reconstruction, "wb", PesqError.RETURN_VALUES)
    return finite(value) if value >= 0 else None


def stoi(original: NDArray[np.float32], reconstruction: NDArray[np.float32], sample_rate: int) -> float | None:
    """STOI (Taal et al., ICASSP 2010) of ``[T]`` by the package `pystoi`; None where it is too short or silent."""
    import pystoi

    if not original.any():
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = pystoi.stoi(original, reconstruction, sample_rate)
    return None if any("Not enough STFT frames" in str(w.message) for w in caught) else finite(value)


def finite(value: float) -> float | None:
    """A plain float, None where it is not finite."""
    return float(value) if math.isfinite(value) else None


@measures.register("pesq")
class Pesq(Measure):
    """`pesq`, at 16 kHz."""

    columns = ("pesq",)
    is_safe = True
    package = "pesq"

    def values(self, pair: Pair, facts: Facts | None) -> tuple[float | None, ...]:
        """Of the clips at 16 kHz."""
        return (pesq(pair.original_16k, pair.reconstruction_16k),)


@measures.register("stoi")
class Stoi(Measure):
    """`stoi`, of the clips as they are."""

    columns = ("stoi",)
    is_safe = True
    package = "pystoi"

    def values(self, pair: Pair, facts: Facts | None) -> tuple[float | None, ...]:
        """At their own rate."""
        return (stoi(pair.original, pair.reconstruction, pair.sample_rate),)
