"""One audio file as a waveform at the rate that is wanted, or why it can't be one."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".g722"})
MIN_SECONDS = 0.1  # below it the resampler's filter is longer than the sound


class UnusableError(Exception):
    """A file that can't be used; its message is a short clause that says why."""


def load(file: Path, sample_rate: int) -> Tensor:
    """Waveform fp32 ``[T]`` of ``file`` in [-1, 1] at ``sample_rate`` Hz; several channels become their mean.

    Raises:
        UnusableError: unreadable, empty, shorter than 0.1 s, not finite, or recorded below ``sample_rate``, which
            would leave the upper part of the band empty.
    """
    try:
        waveform, rate = _read_g722(file) if file.suffix.lower() == ".g722" else _read_sound(file)
    except Exception as error:  # a damaged file makes the decoders raise nearly anything
        said = " ".join(str(error).replace(str(file), file.name).split())
        raise UnusableError(f"unreadable ({type(error).__name__}: {said})") from error
    if not len(waveform):
        raise UnusableError("empty")
    if len(waveform) < MIN_SECONDS * rate:
        raise UnusableError(f"too short ({len(waveform) / rate:.2f} s)")
    if not np.isfinite(waveform).all():
        raise UnusableError("holds values that are not finite")
    if rate < sample_rate:
        raise UnusableError(f"recorded at {rate:,} Hz, below the {sample_rate:,} Hz that are wanted")
    return resample(torch.from_numpy(waveform), rate, sample_rate)


def resample(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """``[..., T]`` from ``rate`` to ``wanted`` Hz by torchaudio's windowed sinc, as it is where they are equal."""
    if rate == wanted:
        return waveform
    from torchaudio.functional import resample as sinc  # takes a second to import

    return sinc(waveform, rate, wanted)


def _read_sound(file: Path) -> tuple[NDArray[np.float32], int]:
    """WAV, FLAC, OGG by libsndfile: samples fp32 ``[T]`` and their rate."""
    import soundfile

    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono: NDArray[np.float32] = np.mean(samples, axis=1, dtype=np.float32)
    return mono, rate


def _read_g722(file: Path) -> tuple[NDArray[np.float32], int]:
    """G.722 at 64 kbit/s by FFmpeg: the raw stream of telephone systems, 16 kHz mono without a header."""
    import av

    with av.open(str(file), format="g722") as stream:
        frames = [frame.to_ndarray().reshape(-1) for frame in stream.decode(audio=0)]
        rate = stream.streams.audio[0].rate
    samples = np.concatenate(frames) if frames else np.empty(0, np.int16)
    assert samples.dtype == np.int16
    assert rate is not None
    waveform: NDArray[np.float32] = np.divide(samples, 32768, dtype=np.float32)
    return waveform, rate
