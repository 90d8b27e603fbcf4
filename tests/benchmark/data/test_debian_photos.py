"""Photographs in packages, with small pictures in place of the packages' own."""

import csv
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data import datasets, debian_photos
from benchmark.data.parts import photo_list
from benchmark.data.parts.photo_list import Photograph
from benchmark.data.parts.sources import UnavailableError
from benchmark.training.batches import DeviceSplit
from methods.core.usage import UsageError

SPLITS = ("train", "train", "train", "validation", "test", "test")


def picture(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (50, 70, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def nothing(folder: Path) -> None:
    raise UnavailableError("no network")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, rcc):
    """A folder with six pictures and a list of them; the last two lie in a resource file."""
    data, photos = tmp_path / "data", []
    (data / "usr").mkdir(parents=True)
    inside = {f"art/{seed}.png": (0, picture(seed)) for seed in (4, 5)}
    (data / "usr/art.rcc").write_bytes(rcc(inside))
    for seed, split in enumerate(SPLITS):
        inner = f"art/{seed}.png" if seed > 3 else ""
        file = "usr/art.rcc" if inner else f"usr/{seed}.png"
        if not inner:
            (data / file).write_bytes(picture(seed))
        licence = ("public-domain", "GPL-2+", "CC0-1.0", "GFDL-NIV-1.2", "CC-BY-SA-4.0", "CC-BY-4.0")[seed]
        digest = hashlib.sha256(picture(seed)).hexdigest()
        photos.append(Photograph("toy-data", file, inner, digest, licence, "yes", "Ann", "here", split))
    with (tmp_path / "list.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([Photograph._fields, *photos])
    (tmp_path / "duplicates.csv").write_text("name,kept,reason\n")
    monkeypatch.setattr(photo_list, "FILE", tmp_path / "list.csv")
    monkeypatch.setattr(photo_list, "DUPLICATES", tmp_path / "duplicates.csv")
    monkeypatch.setattr(debian_photos, "fetch", nothing)
    monkeypatch.setattr(debian_photos, "MACHINE", [])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(data))
    photo_list.listed.cache_clear()
    yield data
    photo_list.listed.cache_clear()


def test_crops_by_photograph(folder):
    data = datasets.create("debian_photos", {"size": 32})
    assert [len(data.train), len(data.validation), len(data.test)] == [6, 2, 4]  # short side 48: two crops each
    assert data.item_shape == (3, 32, 32)
    assert data.test_groups.tolist() == [4, 4, 5, 5]
    assert data.provenance["photographs"] == {"train": 3, "validation": 1, "test": 2}
    assert data.provenance["source"] == "the user's folder"
    assert data.shown[0] in (2, 3)  # of the photograph under CC-BY alone
    assert data.provenance["samples"] == ["5.png (Ann; CC-BY-4.0; here)"]
    fresh = data.fresh(16, 0, torch.Generator().manual_seed(1))
    assert fresh.shape == (16, 3, 32, 32)
    assert fresh.dtype == torch.uint8
    assert DeviceSplit(data.test, data.to_input, torch.device("cpu")).inputs(fresh).abs().max() <= 1


def test_options(folder):
    with pytest.raises(UsageError, match="size must be"):
        datasets.create("debian_photos", {"size": 48})
    with pytest.raises(UsageError, match="test_items"):
        datasets.create("debian_photos", {"size": 32, "test_items": 5})
    data = datasets.create("debian_photos", {"size": 32, "test_items": 2})
    assert data.test_groups.tolist() == [4, 5]
    assert data.shown == [1]


def test_the_key_names_the_content_and_the_licences(folder, monkeypatch):
    identity = datasets.identity("debian_photos", {"size": 32})
    assert identity["content"] == datasets.create("debian_photos", {"size": 32}).provenance["content"]
    assert identity["licences"] == "all"
    monkeypatch.setattr(debian_photos, "VERSION", 99)
    assert datasets.identity("debian_photos", {"size": 32})["content"] != identity["content"]


def test_other_and_missing_files_are_named(folder, rcc):
    (folder / "usr/art.rcc").write_bytes(rcc({"art/4.png": (0, picture(4)), "art/5.png": (0, picture(6))}))
    with pytest.raises(UsageError, match=r"art/5\.png of toy-data is another picture.*the Debian packages: no network"):
        datasets.create("debian_photos", {"size": 32})
    (folder / "usr/2.png").unlink()
    with pytest.raises(UsageError, match=r"no /usr/2\.png of toy-data.*unpack the packages endless-sky-data, gcompris"):
        datasets.create("debian_photos", {"size": 32})


def test_licences_left_out(folder):
    names = {"train": 2, "validation": 0, "test": 2}
    photos = photo_list.chosen("permissive")
    assert {split: sum(photo.split == split for photo in photos) for split in names} == names


@pytest.mark.slow
def test_the_real_packages(monkeypatch, tmp_path):
    monkeypatch.undo()
    photo_list.listed.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = datasets.create("debian_photos", {"size": 32})
    assert data.provenance["photographs"] == {"train": 405, "validation": 49, "test": 200}
