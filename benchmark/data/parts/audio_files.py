"""One audio file as a waveform at the rate that is wanted, or why it can't be one."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from soundfile import SoundFile

SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".g722"})
MOST_SAMPLES = 2**26  # of one recording, 70 minutes at 16 kHz: a small file may unpack to any number
MOST_PHASES = 1000  # of the resampler's filter, whose size is their square and more
BLOCK = 2**20  # samples read at a time
G722_RATE = 16_000
MIN_SECONDS = 0.1  # below it the resampler's filter is longer than the sound


class UnusableError(Exception):
    """A file that can't be used; its message is a short clause that says why."""


class Sound(NamedTuple):
    """A recording as it is used."""

    waveform: Tensor
    """fp32 ``[T]`` in [-1, 1]."""
    peak: float
    """Largest absolute sample of the file; above 1, beyond full scale, all are divided by it."""


def load(file: Path, sample_rate: int) -> Sound:
    """The sound of ``file`` at ``sample_rate`` Hz; several channels become their mean.

    Raises:
        UnusableError: unreadable, empty, shorter than 0.1 s, longer than `MOST_SAMPLES`, not finite, recorded below
            ``sample_rate``, which would leave the upper part of the band empty, or at a rate in no simple ratio to it.
    """
    try:
        with file.open("rb") as stream:
            waveform, rate = (_read_g722 if file.suffix.lower() == ".g722" else _read_sound)(stream)
    except UnusableError:
        raise
    except Exception as error:  # a damaged file makes the decoders raise nearly anything
        said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
        raise UnusableError(f"unreadable ({type(error).__name__}: {' '.join(said.split())})") from error
    if not len(waveform):
        raise UnusableError("empty")
    if len(waveform) < MIN_SECONDS * rate:
        raise UnusableError(f"too short ({len(waveform) / rate:.2f} s)")
    if not np.isfinite(waveform).all():
        raise UnusableError("holds values that are not finite")
    if rate < sample_rate:
        raise UnusableError(f"recorded at {rate:,} Hz, below the {sample_rate:,} Hz that are wanted")
    if sample_rate // math.gcd(rate, sample_rate) > MOST_PHASES:
        raise UnusableError(f"recorded at {rate:,} Hz, in no simple ratio to the {sample_rate:,} Hz that are wanted")
    peak = float(np.abs(waveform).max())
    if peak > 1:
        waveform /= np.float32(peak)
    return Sound(resample(torch.from_numpy(waveform), rate, sample_rate), peak)


def rate_of(file: Path) -> int:
    """The rate, in Hz, at which a file was recorded.

    Raises:
        UnusableError: it can't be read.
    """
    if file.suffix.lower() == ".g722":
        return G722_RATE
    import soundfile

    try:
        with file.open("rb") as stream, soundfile.SoundFile(stream.fileno(), closefd=False) as sound:
            return int(sound.samplerate)
    except Exception as error:  # a damaged file makes libsndfile raise nearly anything
        raise UnusableError(f"unreadable ({type(error).__name__})") from error


def resample(waveform: Tensor, rate: int, wanted: int) -> Tensor:
    """``[..., T]`` from ``rate`` to ``wanted`` Hz by torchaudio's windowed sinc, as it is where they are equal."""
    if rate == wanted:
        return waveform
    from torchaudio.functional import resample as sinc  # takes a second to import

    return sinc(waveform, rate, wanted)


def _read_sound(stream: BinaryIO) -> tuple[NDArray[np.float32], int]:
    """WAV, FLAC, OGG by libsndfile: samples fp32 ``[T]`` and their rate."""
    import soundfile

    # By descriptor: libsndfile would open a name in UTF-8 alone.
    with soundfile.SoundFile(stream.fileno(), closefd=False) as sound:
        return _joined(_mono(sound)), sound.samplerate


def _mono(sound: "SoundFile") -> Iterator[NDArray[np.float32]]:
    """The mean of all channels, a block at a time."""
    while len(block := sound.read(BLOCK // sound.channels + 1, dtype="float32", always_2d=True)):
        yield np.mean(block, axis=1, dtype=np.float32)


def _read_g722(stream: BinaryIO) -> tuple[NDArray[np.float32], int]:
    """G.722 at 64 kbit/s by FFmpeg: the raw stream of telephone systems, 16 kHz mono without a header."""
    import av

    with av.open(stream, "r", format="g722") as container:
        samples = _joined(frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0))
        rate = container.streams.audio[0].rate
    assert samples.dtype == np.int16 or not len(samples)
    assert rate is not None
    waveform: NDArray[np.float32] = np.divide(samples, 32768, dtype=np.float32)
    return waveform, rate


def _joined(blocks: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Blocks ``[n]`` one after another; UnusableError as soon as there are more samples than `MOST_SAMPLES`."""
    found, count = [], 0
    for block in blocks:
        found.append(block)
        count += len(block)
        if count > MOST_SAMPLES:
            raise UnusableError(f"longer than {MOST_SAMPLES:,} samples; cut it into shorter recordings")
    return np.concatenate(found) if found else np.empty(0, np.float32)
