"""Folders of speech and LibriTTS: splits by folder, by speaker, by file; what is skipped is named."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from benchmark import cache as cache_module
from benchmark.data import datasets
from benchmark.data.parts.sources import UnavailableError
from benchmark.data.speech import FETCHED, by_speaker, read_libritts
from methods.core.usage import UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def record(file: Path, seconds: float = 1.2, rate: int = 8000, seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, int(seconds * rate))
    soundfile.write(file, noise, rate)


def fill(folder: Path, count: int, prefix: str = "r") -> Path:
    for index in range(count):
        record(folder / f"{prefix}{index:02}.wav", seed=index)
    return folder


OPTIONS = {"sample_rate": 8000, "clip_seconds": 0.5, "test_seconds": 1.0}


def test_a_folder_becomes_clips(tmp_path: Path) -> None:
    fill(tmp_path / "speech", 20)
    data = datasets.create("speech_folder", {"path": str(tmp_path / "speech"), **OPTIONS})
    assert data.modality == "audio"
    assert data.sample_rate == 8000
    assert data.item_shape == (1, 4000)
    assert data.test.shape == (2, 1, 8000)
    assert [len(data.train), len(data.validation)] == [32, 4]
    assert data.provenance["recordings"] == {"train": 16, "validation": 2, "test": 2}
    inputs = data.to_input(data.train)
    assert inputs.dtype == torch.float32
    assert data.variance == pytest.approx(float(inputs.double().var(correction=0)), rel=1e-6)
    assert data.variance == pytest.approx(0.25 / 3, rel=0.02)


def test_bad_recordings_are_named_counted_and_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = fill(tmp_path / "speech", 30)
    (root / "text.wav").write_text("no sound")
    record(root / "slow.flac", rate=4000)
    record(root / "short.wav", 0.2)
    data = datasets.create("speech_folder", {"path": str(root), **OPTIONS})
    assert set(data.provenance["skipped"]) == {"text.wav", "slow.flac", "short.wav"}
    assert "4,000 Hz" in data.provenance["skipped"]["slow.flac"]
    said = capsys.readouterr().err
    assert said.startswith("data set `speech_folder`: left out 3 recordings that can't be used: ")
    assert str(tmp_path) not in str(data.provenance)


def test_recordings_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.data.parts import clips

    monkeypatch.setattr(cache_module, "WORTH_KEEPING", 0.0)
    fill(tmp_path / "speech", 10)
    options = {"path": str(tmp_path / "speech"), **OPTIONS}
    first = datasets.create("speech_folder", options)
    monkeypatch.setattr(clips, "cut_all", None)
    assert torch.equal(datasets.create("speech_folder", options).train, first.train)


def test_splits_by_folder_by_speaker_and_by_file() -> None:
    named = by_speaker(["train/a/1.wav", "train/b/2.wav", "val/3.wav", "test/4.wav", "other/5.wav"])
    assert named == {"train": ["train/a/1.wav", "train/b/2.wav"], "validation": ["val/3.wav"], "test": ["test/4.wav"]}
    names = [f"{speaker}/{index}.wav" for speaker in "abcdefgh" for index in range(3)]
    pools = by_speaker(names)
    speakers = {split: {name[0] for name in pool} for split, pool in pools.items()}
    assert [len(speakers[split]) for split in ("train", "validation", "test")] == [6, 1, 1]
    assert not speakers["train"] & (speakers["validation"] | speakers["test"])
    assert sorted(name for pool in pools.values() for name in pool) == names
    two = by_speaker([f"{speaker}/{index}.wav" for speaker in "ab" for index in range(10)])
    assert [len(two[split]) for split in ("train", "validation", "test")] == [16, 2, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 4000}, "sample_rate must be at least 8000 Hz, not 4000"),
        ({"clip_seconds": 0.01}, "clip_seconds must be from 0.1 to 60 seconds, not 0.01"),
        ({"limit": 0}, "limit must be a whole number of at least 1, not 0"),
        ({"test_items": 99}, "test_items must be a whole number from 1 to"),
        ({"test_seconds": 30.0}, "no clip for test; 1 recordings were there, of which 1 can't be used"),
    ],
)
def test_what_is_typed_wrong(tmp_path: Path, options: dict[str, object], message: str) -> None:
    fill(tmp_path / "speech", 10)
    with pytest.raises(UsageError, match=message):
        datasets.create("speech_folder", {"path": str(tmp_path / "speech"), **OPTIONS, **options})


def test_recordings_edited_in_place_are_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "WORTH_KEEPING", 0.0)
    root = fill(tmp_path / "speech", 10)
    options = {"path": str(root), **OPTIONS}
    planned, before = datasets.identity("speech_folder", options), datasets.create("speech_folder", options)
    state = (root / "r03.wav").stat()
    record(root / "r03.wav", seed=99)
    os.utime(root / "r03.wav", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (root / "r03.wav").stat().st_size == state.st_size
    assert datasets.identity("speech_folder", options)["content"] != planned["content"]
    after = datasets.create("speech_folder", options)
    assert not torch.equal(torch.cat([before.train, before.validation]), torch.cat([after.train, after.validation]))
    assert before.provenance["content"] == planned["content"] != after.provenance["content"]


def test_a_name_that_is_no_text_is_read_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = fill(tmp_path / "speech", 10)
    for name, good in ((b"caf\xe9.wav", True), (b"two\nlines\x1b[31m.wav", False)):
        file = root / os.fsdecode(name)
        record(root / "r00.wav", seed=42)
        file.write_bytes((root / "r00.wav").read_bytes() if good else b"no sound")
    (root / "notes.txt").touch()
    data = datasets.create("speech_folder", {"path": str(root), **OPTIONS})
    assert list(data.provenance["skipped"]) == [r"two\nlines\x1b[31m.wav"]
    assert sum(data.provenance["recordings"].values()) == 12
    assert capsys.readouterr().err == (
        "data set `speech_folder`: left out 1 recordings that can't be used: two\\nlines\\x1b[31m.wav\n"
        "data set `speech_folder`: passed over files of other kinds: 1 .txt\n"
    )


def test_a_moved_folder_is_the_same_data_set(tmp_path: Path) -> None:
    fill(tmp_path / "speech", 3)
    before = datasets.identity("speech_folder", {"path": str(tmp_path / "speech")})
    (tmp_path / "speech").rename(tmp_path / "moved")
    assert datasets.identity("speech_folder", {"path": str(tmp_path / "moved")}) == before
    assert "path" not in before


def test_libritts_is_read_from_the_user_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for subset in ("train-clean-100", "dev-clean", "test-clean"):
        for index in range(2):
            name = tmp_path / "data" / "LibriTTS" / subset / "19" / "198" / f"19_198_{index}.wav"
            record(name, rate=24_000, seed=index)
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path / "data"))
    data = datasets.create("libritts", {"test_seconds": 1.0})
    assert data.item_shape == (1, 24_000)
    assert len(data.train) == len(data.test) == 2
    assert data.provenance["licence"] == "CC BY 4.0"
    options = {"train": ["train-clean-100"], "test": "test-clean"}
    planned = datasets.identity("libritts", options)
    assert planned["content"] == data.provenance["content"]
    edited = tmp_path / "data" / "LibriTTS" / "test-clean" / "19" / "198" / "19_198_0.wav"
    record(edited, rate=24_000, seed=7)
    assert datasets.identity("libritts", options)["content"] != planned["content"]
    monkeypatch.delenv("CODEBOOK_BENCH_DATA")
    assert "content" not in datasets.identity("libritts", options)  # that of the authors' archives
    with pytest.raises(UnavailableError, match="no LibriTTS/test-other"):
        read_libritts(tmp_path / "data", ["test-other"])
    (tmp_path / "data" / FETCHED).write_text(json.dumps({"dev-clean": "other"}))
    with pytest.raises(UnavailableError, match="LibriTTS/dev-clean is not what was downloaded"):
        read_libritts(tmp_path / "data", ["dev-clean"])
    with pytest.raises(UsageError, match="train-clean-10"):
        datasets.create("libritts", {"train": ["train-clean-10"]})
