"""Speech in Debian packages, with the packages' layout and without their size."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from benchmark.data import datasets, speech_packages
from benchmark.data.parts.files import list_files
from benchmark.data.parts.sources import UnavailableError
from benchmark.data.speech_packages import ASTERISK_FOLDER, ASTERISK_VOICES, FESTVOX_FOLDER, prompts, read_asterisk
from methods.core.usage import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(data))
    return data


def write_festvox(folder: Path, monkeypatch: pytest.MonkeyPatch, recordings: int, samples: int) -> None:
    (folder / FESTVOX_FOLDER).mkdir(parents=True)
    for index in range(recordings):
        noise = np.random.default_rng(index).uniform(-0.5, 0.5, samples)
        soundfile.write(folder / FESTVOX_FOLDER / f"ru_{index:04}.wav", noise, 16_000)
    content = list_files(folder / FESTVOX_FOLDER, {".wav"}).content
    monkeypatch.setattr(speech_packages, "FESTVOX_CONTENT", content)


def test_festvox_is_split_by_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_festvox(folder, monkeypatch, 20, 8000)
    data = datasets.create("festvox_ru", {"clip_seconds": 0.25, "test_seconds": 0.5})
    assert data.provenance["recordings"] == {"train": 16, "validation": 2, "test": 2}
    assert [len(data.train), len(data.validation), len(data.test)] == [32, 4, 2]
    with pytest.raises(UsageError, match="sample_rate must be a whole number from 1 to 16000, not 24000"):
        datasets.create("festvox_ru", {"sample_rate": 24_000})


def test_the_minute_is_trained_on_and_tested(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_festvox(folder, monkeypatch, 10, 21 * 48_000)
    data = datasets.create("festvox_minute", {})
    assert data.test.shape == (20, 1, 48_000)
    assert torch.equal(data.train.flatten(), data.test.flatten())
    assert torch.equal(data.validation, data.train)
    assert data.provenance["clips"] == {"train": 120, "validation": 120, "test": 20}


def test_recordings_other_than_the_packages_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / FESTVOX_FOLDER).mkdir(parents=True)
    with pytest.raises(UnavailableError, match="no recordings of festvox-ru"):
        speech_packages.read_festvox(folder)
    (folder / FESTVOX_FOLDER).rmdir()
    write_festvox(folder, monkeypatch, 3, 8000)
    assert len(speech_packages.read_festvox(folder).states) == 3
    file = folder / FESTVOX_FOLDER / "ru_0001.wav"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(UnavailableError, match="the 3 recordings are not those of festvox-ru"):
        speech_packages.read_festvox(folder)


def test_no_asterisk_speaker_is_in_two_splits() -> None:
    speakers = {split: {voice.split("_")[-1] for voice in voices} for split, voices in ASTERISK_VOICES.items()}
    assert len(set.union(*speakers.values())) == sum(map(len, speakers.values())) == 4


def test_asterisk_s_recordings_of_silence_are_no_prompts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for voice in [voice for voices in ASTERISK_VOICES.values() for voice in voices]:
        for name in ("hello.g722", "digits/1.g722", "silence/1.g722"):
            file = folder / ASTERISK_FOLDER / voice / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    root = folder / ASTERISK_FOLDER
    files = list_files(root, {".g722"}, [voice for voices in ASTERISK_VOICES.values() for voice in voices])
    monkeypatch.setattr(speech_packages, "ASTERISK_CONTENT", files.content)
    assert prompts(read_asterisk(folder), "it_IT_m_Carlo") == [
        "it_IT_m_Carlo/digits/1.g722",
        "it_IT_m_Carlo/hello.g722",
    ]
    (root / "fr_CA_f_June").rename(root / "fr_CA_f_Jane")
    with pytest.raises(UnavailableError, match="asterisk-core-sounds-fr-g722"):
        read_asterisk(folder)
