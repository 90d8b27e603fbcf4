"""A Vocos-type decoder: ConvNeXt blocks at the rate of the tokens, then an inverse Fourier transform."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_MAGNITUDE = 100.0


class ConvNeXt(nn.Module):
    """Depthwise kernel 7, layer norm, two linear layers around GELU, scaled and added to the input."""

    def __init__(self, width: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, features: Tensor) -> Tensor:
        """``[B, width, T']``, same shape."""
        inner = self.norm(self.depthwise(features).transpose(1, 2))
        inner = self.scale * self.contract(F.gelu(self.expand(inner)))
        return features + inner.transpose(1, 2)


class VocosDecoder(nn.Module):
    """Latents to magnitudes and phases of a short-time spectrum, and from there to the waveform.

    Siuzdak (Vocos, ICLR 2024, arXiv 2306.00814): ``layers`` ConvNeXt blocks of ``width`` and ``hidden`` units. One
    spectral frame of ``n_fft = 4 · hop`` samples a token; overlapping frames are added under a Hann window and divided
    by its summed square, and the outer ``(n_fft − hop) / 2`` samples cut off, so that T' tokens give T' · hop samples.
    """

    window: Tensor

    def __init__(self, latent_dim: int, width: int, hidden: int, layers: int, hop: int) -> None:
        super().__init__()
        self.hop, self.n_fft = hop, 4 * hop
        self.embed = nn.Conv1d(latent_dim, width, 7, padding=3)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.Sequential(*[ConvNeXt(width, hidden, 1 / layers) for _ in range(layers)])
        self.final_norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, self.n_fft + 2)
        self.register_buffer("window", torch.hann_window(self.n_fft), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear) and module is not self.head:
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, latents: Tensor) -> Tensor:
        """``[B, D, T']`` to waveforms ``[B, 1, T' · hop]``."""
        features = self.norm(self.embed(latents).transpose(1, 2)).transpose(1, 2)
        features = self.final_norm(self.blocks(features).transpose(1, 2))
        # Half precision has no complex numbers, and phases want the digits.
        with torch.autocast(latents.device.type, enabled=False):
            magnitude, phase = self.head(features.float()).chunk(2, dim=-1)
            magnitude = magnitude.exp().clamp(max=MAX_MAGNITUDE)
            return self._inverse(torch.polar(magnitude, phase))[:, None]

    def _inverse(self, spectrum: Tensor) -> Tensor:
        """Overlap-add of spectra ``[B, T', n_fft / 2 + 1]``."""
        frames = torch.fft.irfft(spectrum, self.n_fft, dim=-1) * self.window
        count = spectrum.shape[1]
        weights = self.window.square().expand(1, count, -1)
        cut = (self.n_fft - self.hop) // 2
        waveform, envelope = (_overlap_add(part, self.hop) for part in (frames, weights))
        kept = slice(cut, cut + count * self.hop)
        return waveform[:, kept] / envelope[:, kept]


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """``[B, T', n_fft]`` to ``[B, (T' − 1) · hop + n_fft]``."""
    count, size = frames.shape[1:]
    length = (count - 1) * hop + size
    return F.fold(frames.transpose(1, 2), (1, length), kernel_size=(1, size), stride=(1, hop))[:, 0, 0]
