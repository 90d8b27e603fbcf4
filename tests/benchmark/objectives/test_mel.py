"""Mel distance and waveform error against their definitions."""

import math

import pytest
import torch
from torchaudio.transforms import MelSpectrogram

from benchmark.metrics.parts.mel import MelDistance
from benchmark.objectives import objectives
from methods.core.usage import UsageError

RATE = {"sample_rate": 8000}


@pytest.fixture
def waveforms() -> torch.Tensor:
    return torch.randn(3, 1, 4000, generator=torch.Generator().manual_seed(0)) / 5


def test_the_distance_is_that_of_torchaudio_s_spectra(waveforms: torch.Tensor) -> None:
    other = waveforms.flip(0)
    expected = torch.zeros(3)
    for window, bands in ((512, 32), (1024, 64)):
        mel = MelSpectrogram(8000, window, hop_length=window // 4, n_mels=bands, power=1.0)
        first, second = (mel(w[:, 0]).clamp(min=1e-5).log() for w in (waveforms, other))
        expected += (first - second).abs().mean((1, 2)) / 2
    assert torch.allclose(MelDistance(8000, (512, 1024), (32, 64))(waveforms, other), expected, atol=1e-6)


def test_half_as_loud_is_log_two_away(waveforms: torch.Tensor) -> None:
    assert torch.allclose(MelDistance(8000)(waveforms / 2, waveforms), torch.full((3,), math.log(2)), atol=1e-4)


def test_errors_are_the_weighted_sum_of_both(waveforms: torch.Tensor) -> None:
    other = waveforms.flip(0)
    objective = objectives.create(
        "mel_waveform", {"mel_weight": 2.0, "waveform_weight": 3.0}, variance=0.5, sample_rate=8000
    )
    errors = objective.errors(other, waveforms) / 4000
    squares = (other - waveforms).square().mean((1, 2)) / 0.5
    assert torch.allclose(errors, 2 * MelDistance(8000)(other, waveforms) + 3 * squares, rtol=1e-5)
    assert torch.equal(objective.errors(waveforms, waveforms), torch.zeros(3))


def test_silence_has_a_finite_gradient(waveforms: torch.Tensor) -> None:
    objective = objectives.create("mel_waveform", {}, variance=0.5, sample_rate=8000)
    silence = torch.zeros_like(waveforms, requires_grad=True)
    objective.errors(silence, waveforms).sum().backward()
    assert silence.grad is not None
    assert torch.isfinite(silence.grad).all()


@pytest.mark.parametrize(
    ("options", "supplied", "message"),
    [
        ({}, {"sample_rate": None}, "is for speech: the data set has no sample rate"),
        ({}, {"variance": 0.0}, "the training data are silent"),
        ({"windows": [512]}, {}, "must be two lists of the same length"),
        ({"windows": [510], "bands": [8]}, {}, "a window must be a multiple of 4 samples"),
        ({"windows": [512], "bands": [300]}, {}, "at most half as many bands"),
    ],
)
@pytest.mark.parametrize("name", ["mel_waveform", "adversarial_mel"])
def test_what_is_typed_wrong(name: str, options: dict[str, object], supplied: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        objectives.create(name, options, **{"variance": 0.5, "sample_rate": 8000, **supplied})
