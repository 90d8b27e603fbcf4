"""Discriminators of waveforms: over the samples of several periods, and over spectra of several resolutions."""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

SLOPE = 0.1
PERIODS = (2, 3, 5, 7, 11)
RESOLUTIONS = (2048, 1024, 512)
BANDS = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))


class PeriodDiscriminator(nn.Module):
    """Strided convolutions along every ``period``-th sample (Kong et al., HiFi-GAN, arXiv 2010.05646)."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        widths = [1, width, 4 * width, 16 * width, 32 * width, 32 * width]
        strides = [3, 3, 3, 3, 1]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(inputs, outputs, (5, 1), (stride, 1), padding=(2, 0)))
            for inputs, outputs, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """All feature maps of waveforms ``[B, 1, T]``, the scores last."""
        short = -waveforms.shape[-1] % self.period
        padded = F.pad(waveforms, (0, short), mode="reflect") if short else waveforms
        return _through(padded.unflatten(-1, (-1, self.period)), self.layers, self.score)


class BandDiscriminator(nn.Module):
    """Convolutions over the complex spectrum, each band by its own (Kumar et al., DAC, arXiv 2306.06546)."""

    window: Tensor

    def __init__(self, n_fft: int, width: int) -> None:
        super().__init__()
        self.n_fft = n_fft
        bins = n_fft // 2 + 1
        self.bounds = [(int(low * bins), int(high * bins)) for low, high in BANDS]
        self.stacks = nn.ModuleList(nn.ModuleList(self._stack(width)) for _ in BANDS)
        self.score = weight_norm(nn.Conv2d(width, 1, 3, padding=1))
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    @staticmethod
    def _stack(width: int) -> Iterable[nn.Module]:
        yield weight_norm(nn.Conv2d(2, width, (3, 9), padding=(1, 4)))
        for _ in range(3):
            yield weight_norm(nn.Conv2d(width, width, (3, 9), (1, 2), padding=(1, 4)))
        yield weight_norm(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, waveforms: Tensor) -> list[Tensor]:
        """All feature maps of waveforms ``[B, 1, T]``, the scores last."""
        # Level out loudness: a discriminator that hears it would judge by it.
        waveforms = waveforms - waveforms.mean(-1, keepdim=True)
        waveforms = 0.8 * waveforms / (waveforms.abs().amax(-1, keepdim=True) + 1e-9)
        spectrum = torch.stft(
            waveforms[:, 0], self.n_fft, self.n_fft // 4, window=self.window, center=True, return_complex=True
        )
        planes = torch.view_as_real(spectrum).permute(0, 3, 2, 1)
        maps, last = [], []
        for (low, high), stack in zip(self.bounds, self.stacks, strict=True):
            features = planes[..., low:high]
            assert isinstance(stack, nn.ModuleList)
            for layer in stack:
                features = F.leaky_relu(layer(features), SLOPE)
                maps.append(features)
            last.append(features)
        return [*maps, self.score(torch.cat(last, dim=-1))]


class Discriminators(nn.Module):
    """Several at once; ``width`` 32 is that of the papers."""

    def __init__(self, width: int, periods: Sequence[int], resolutions: Sequence[int]) -> None:
        super().__init__()
        self.periods = nn.ModuleList(PeriodDiscriminator(period, width) for period in periods)
        self.resolutions = nn.ModuleList(BandDiscriminator(n_fft, width) for n_fft in resolutions)

    def forward(self, waveforms: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Feature maps of each, the scores last: those over periods, those over spectra."""
        return [d(waveforms) for d in self.periods], [d(waveforms) for d in self.resolutions]


def _through(features: Tensor, layers: Iterable[nn.Module], score: nn.Module) -> list[Tensor]:
    maps = []
    for layer in layers:
        features = F.leaky_relu(layer(features), SLOPE)
        maps.append(features)
    return [*maps, score(features)]
