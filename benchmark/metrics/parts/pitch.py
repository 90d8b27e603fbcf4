"""Voicing and fundamental frequency by CREPE (Kim et al., ICASSP 2018), as codecs are judged by them."""

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.metrics.parts.speech import RATE, Clip, Facts, Measure, Pair, measures

HOP = 160
LOWEST, HIGHEST = 50.0, 550.0
SILENCE = -60.0
UNVOICED = 0.21


def pitch(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hz of every 10 ms ``[1 + T // 160]`` of 16 kHz ``[T]``; NaN where it is unvoiced.

    torchcrepe's tiny network with Viterbi decoding from 50 to 550 Hz; unvoiced is a periodicity under 0.21, or a
    frame under -60 dB of A-weighted loudness, as in Morrison et al. (CARGAN, arXiv 2110.10139). torchcrepe blurs its
    bins of 20 cents with NumPy's random numbers; they are the same for every clip here, so that equal clips agree.
    """
    import torchcrepe

    audio = torch.from_numpy(np.ascontiguousarray(waveform))[None]
    before = np.random.get_state()
    np.random.seed(0)
    try:
        hertz, periodicity = torchcrepe.predict(
            audio, RATE, HOP, LOWEST, HIGHEST, "tiny", return_periodicity=True, batch_size=2048
        )
    finally:
        np.random.set_state(before)
    periodicity = torchcrepe.threshold.Silence(SILENCE)(periodicity, audio, RATE, HOP)
    return torchcrepe.threshold.At(UNVOICED)(hertz, periodicity)[0].numpy()


def voicing_f1(original: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> float | None:
    """F1 of the voiced frames of ``reconstruction``; None where neither has any."""
    true, found = ~np.isnan(original), ~np.isnan(reconstruction)
    total = int(true.sum()) + int(found.sum())
    return 2 * int((true & found).sum()) / total if total else None


def pitch_error(original: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> float | None:
    """Root mean square difference in cents over the frames that are voiced in both; None where none is."""
    both = ~np.isnan(original) & ~np.isnan(reconstruction)
    if not both.any():
        return None
    cents = 1200 * (np.log2(original[both].astype(np.float64)) - np.log2(reconstruction[both].astype(np.float64)))
    return float(np.sqrt(np.mean(cents**2)))


@measures.register("pitch")
class Pitch(Measure):
    """Voicing and fundamental frequency; its facts are the `pitch` of the original."""

    columns = ("vuv_f1", "f0_error")
    is_safe = True
    package = "torchcrepe"
    has_facts = True

    def facts(self, original: Clip) -> Facts:
        """Hz of every frame."""
        return pitch(original)

    def values(self, pair: Pair, facts: Facts | None) -> tuple[float | None, ...]:
        """F1 of voicing, and the error in cents."""
        assert facts is not None
        found = pitch(pair.reconstruction_16k)
        return voicing_f1(facts, found), pitch_error(facts, found)
