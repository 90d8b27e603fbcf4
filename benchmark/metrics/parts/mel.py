"""Log-mel spectra of waveforms and the distance between them, for objectives, metrics and pictures alike."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

FLOOR = 1e-5
"""Magnitude under which nothing is heard; keeps the logarithm, and its gradient, of silence within bounds."""
WINDOWS = (256, 512, 1024, 2048)
BANDS = (16, 32, 64, 128)


class LogMel(nn.Module):
    """Natural logarithm of mel magnitudes of waveforms, hop a quarter of the window."""

    def __init__(self, sample_rate: int, window: int, bands: int) -> None:
        super().__init__()
        from torchaudio.transforms import MelSpectrogram  # takes a second to import

        with warnings.catch_warnings():
            # Short windows leave low bands without a bin of their own; they are zero on both sides.
            warnings.filterwarnings("ignore", message="At least one mel filterbank")
            self.mel = MelSpectrogram(sample_rate, window, hop_length=window // 4, n_mels=bands, power=1.0)

    def forward(self, waveforms: Tensor) -> Tensor:
        """``[B, bands, frames]`` of waveforms ``[B, 1, T]``."""
        return self.mel(waveforms[:, 0]).clamp(min=FLOOR).log()


class MelDistance(nn.Module):
    """Mean absolute difference of log-mel spectra, averaged over windows: 0.1 is about 0.9 dB.

    Short windows see when, long ones which frequency (Kumar et al., DAC, arXiv 2306.06546, with natural logarithms).
    """

    def __init__(self, sample_rate: int, windows: Sequence[int] = WINDOWS, bands: Sequence[int] = BANDS) -> None:
        super().__init__()
        self.scales = nn.ModuleList(LogMel(sample_rate, w, b) for w, b in zip(windows, bands, strict=True))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Distances ``[B]`` of waveforms ``[B, 1, T]``."""
        both = torch.cat([output, target])
        distances = []
        for scale in self.scales:
            first, second = scale(both).chunk(2)
            distances.append((first - second).abs().mean((1, 2)))
        return torch.stack(distances).mean(0)
