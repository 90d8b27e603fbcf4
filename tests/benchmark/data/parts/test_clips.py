"""From recordings to clips: rates, silence, cuts, and every file that can't be used."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torchaudio.functional import resample

from benchmark.data.parts import audio_files
from benchmark.data.parts.audio_files import UnusableError, load
from benchmark.data.parts.clips import Cut, cut_recording, frames_with_sound

CUT = Cut(8000, 0.5, 1.0)


def tone(seconds: float, rate: int = 8000, level: float = 0.3, hertz: float = 220.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_the_formats_are_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"tone.{suffix}"
    soundfile.write(file, tone(1.0), 8000)
    waveform = load(file, 8000).waveform
    assert waveform.shape == (8000,)
    assert waveform.dtype == torch.float32
    assert torch.allclose(waveform, torch.from_numpy(tone(1.0)), atol=0.05 if suffix == "ogg" else 1e-4)


def test_g722_is_read(tmp_path: Path) -> None:
    import av

    file = tmp_path / "tone.g722"
    with av.open(str(file), "w", format="g722") as stream:
        track = stream.add_stream("g722", rate=16_000)
        track.layout = "mono"
        samples = (tone(0.5, 16_000) * 32767).astype(np.int16)
        for start in range(0, len(samples), 320):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 320], format="s16", layout="mono")
            frame.sample_rate = 16_000
            frame.pts = start
            stream.mux(track.encode(frame))
        stream.mux(track.encode(None))
    waveform = load(file, 16_000).waveform
    assert abs(len(waveform) - 8000) <= 400
    assert 0.15 < float(waveform.std()) < 0.25  # 0.3 / sqrt(2) before the code


def test_rates_are_converted_as_torchaudio_does_and_channels_averaged(tmp_path: Path) -> None:
    both = np.stack([tone(0.5, 44_100), tone(0.5, 44_100, hertz=330)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", both, 44_100, "FLOAT")
    expected = resample(torch.from_numpy(both.mean(axis=1)), 44_100, 16_000)
    assert torch.equal(load(tmp_path / "stereo.wav", 16_000).waveform, expected)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.wav", b"no sound", "unreadable (LibsndfileError: "),
        ("none.wav", None, "empty"),
        ("short.wav", tone(0.05), "too short (0.05 s)"),
        ("slow.wav", (tone(1.0, 4000), 4000), "recorded at 4,000 Hz, below the 8,000 Hz that are wanted"),
        ("nan.wav", np.full(8000, np.nan, np.float32), "holds values that are not finite"),
        ("silent.wav", np.zeros(8000, np.float32), "silent throughout"),
        ("brief.wav", tone(0.3), "too short (0.30 s of sound for clips of 0.5 s)"),
    ],
)
def test_why_a_file_cannot_be_used(tmp_path: Path, name: str, content: object, reason: str) -> None:
    file = tmp_path / name
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        samples, rate = content if isinstance(content, tuple) else (content, 8000)
        soundfile.write(file, np.empty(0, np.float32) if samples is None else samples, rate, "FLOAT")
    with pytest.raises(UnusableError) as caught:
        cut_recording(load(file, 8000).waveform, 4000, CUT, name)
    assert str(caught.value).startswith(reason)
    assert str(tmp_path) not in str(caught.value)


def test_silence_is_left_out_at_the_ends_and_in_the_middle() -> None:
    quiet = np.zeros(8000, np.float32)
    waveform = torch.from_numpy(np.concatenate([quiet, tone(1.0), quiet, quiet, tone(1.0), quiet]))
    clips, silent = cut_recording(waveform, 4000, CUT, "pause")
    assert clips.dtype == torch.int16
    assert clips.shape[1:] == (1, 4000)
    assert silent >= 3
    levels = (clips.float() / 32768).square().mean((1, 2)).sqrt()
    assert (levels > 0.1).all()


def test_sound_is_what_comes_within_forty_decibels_of_the_loudest_frame() -> None:
    parts = [tone(0.1, level=level) for level in (1.0, 0.02, 0.005)]
    sounds = frames_with_sound(torch.from_numpy(np.concatenate(parts)), 8000)
    assert sounds.tolist() == [True] * 10 + [False] * 5


def test_neither_an_offset_nor_a_floor_of_noise_is_sound() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 24_000).astype(np.float32)
    speech = np.concatenate([np.zeros(8000), tone(1.0), np.zeros(8000)]).astype(np.float32)
    expected = [False] * 50 + [True] * 50 + [False] * 50
    for recording in (speech + 0.2, speech + 0.2 + 1e-5 * noise, speech + 0.01 * noise):
        assert frames_with_sound(torch.from_numpy(recording), 8000).tolist() == expected
    assert not frames_with_sound(torch.from_numpy(2e-4 * noise), 8000).any()  # -74 dB of full scale
    assert not frames_with_sound(torch.full((8000,), 0.3), 8000).any()
    assert frames_with_sound(torch.from_numpy(0.1 * noise), 8000).all()  # loud throughout


def test_clips_are_the_recording_without_overlap_and_always_the_same() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).uniform(-0.9, 0.9, 20_000).astype(np.float32))
    clips, _ = cut_recording(noise, 4000, CUT, "a")
    again, _ = cut_recording(noise, 4000, CUT, "a")
    other, _ = cut_recording(torch.cat([noise, noise[:2000]]), 4000, CUT, "a")
    assert torch.equal(clips, again)
    assert len(clips) == 5
    assert torch.equal(clips.flatten(), (noise * 32768).round().to(torch.int16))
    assert len(other) == 5


def test_a_few_clips_of_each_recording() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).uniform(-0.9, 0.9, 40_000).astype(np.float32))
    every, _ = cut_recording(noise, 4000, CUT, "a")
    some, _ = cut_recording(noise, 4000, Cut(8000, 0.5, 1.0, per_recording=3), "a")
    rows = {tuple(clip.flatten().tolist()) for clip in every}
    assert len(some) == 3
    assert all(tuple(clip.flatten().tolist()) in rows for clip in some)


def test_samples_beyond_full_scale_are_divided_by_the_largest(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", 32_768 * tone(1.0), 8000, "FLOAT")
    sound = load(tmp_path / "loud.wav", 8000)
    assert sound.peak == pytest.approx(32_768 * 0.3, rel=1e-3)
    assert torch.allclose(sound.waveform, torch.from_numpy(tone(1.0)) / 0.3, atol=1e-3)


@pytest.mark.parametrize("rate", [16_001, 44_101])
def test_rates_whose_resampler_would_take_gigabytes_are_named(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "odd.wav", tone(0.5, rate), rate)
    with pytest.raises(UnusableError, match=f"^recorded at {rate:,} Hz, in no simple ratio to the 16,000 Hz"):
        load(tmp_path / "odd.wav", 16_000)


def test_a_small_file_that_unpacks_to_much_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_files, "MOST_SAMPLES", 100_000)
    monkeypatch.setattr(audio_files, "BLOCK", 4096)
    soundfile.write(tmp_path / "bomb.flac", np.zeros(10**6, np.float32), 8000)
    assert (tmp_path / "bomb.flac").stat().st_size < 10_000
    with pytest.raises(UnusableError, match="^longer than 100,000 samples; cut it into shorter recordings$"):
        load(tmp_path / "bomb.flac", 8000)
