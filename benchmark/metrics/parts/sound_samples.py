"""Samples of a run of speech: WAV files to listen to, and one picture of their spectra."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.metrics.parts.mel import FLOOR, LogMel

SAMPLES = 4
WINDOW, BANDS = 1024, 80
FOLDER = "samples"


def save_samples(originals: Tensor, reconstructions: Tensor, sample_rate: int, folder: Path) -> None:
    """Up to four clips ``[B, 1, T]``: ``samples/original_1.wav``, ``samples/reconstruction_1.wav``; ``samples.png``.

    The picture has the log-mel spectra of the originals in a row without gaps, those of the reconstructions below;
    time runs to the right, pitch upwards, and both rows share one scale of brightness.
    """
    import soundfile
    from PIL import Image

    pairs = [part[:SAMPLES].float().clamp(-1, 1).cpu() for part in (originals, reconstructions)]
    (folder / FOLDER).mkdir(exist_ok=True)
    for kind, clips in zip(("original", "reconstruction"), pairs, strict=True):
        for index, clip in enumerate(clips[:, 0].numpy(), 1):
            soundfile.write(folder / FOLDER / f"{kind}_{index}.wav", clip, sample_rate, "PCM_16")
    spectrum = LogMel(sample_rate, WINDOW, BANDS)
    rows = [np.concatenate(list(spectrum(clips).numpy()), axis=1) for clips in pairs]
    loudest = max(float(rows[0].max()), np.log(FLOOR) + 1)
    sheet = np.concatenate([picture(row, loudest) for row in rows])
    Image.fromarray(sheet).save(folder / "samples.png")


def picture(spectrum: NDArray[np.float32], loudest: float) -> NDArray[np.uint8]:
    """``[bands, frames, 3]`` of a log-mel spectrum, low bands at the bottom; 80 dB under ``loudest`` is dark."""
    import matplotlib

    floor = loudest - 80 / 20 * np.log(10)
    shares = np.clip((spectrum[::-1] - floor) / (loudest - floor), 0, 1)
    return (255 * matplotlib.colormaps["magma"](shares)[..., :3]).round().astype(np.uint8)


def spectrum_of(waveform: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Log-mel spectrum ``[80, frames]`` of a waveform ``[T]``, as in the picture."""
    return LogMel(sample_rate, WINDOW, BANDS)(torch.from_numpy(waveform)[None, None])[0].numpy()
