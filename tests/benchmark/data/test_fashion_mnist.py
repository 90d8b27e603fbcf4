"""Fashion-MNIST from small IDX files in every layout, with sources that tests put in place."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.data import datasets
from benchmark.data import fashion_mnist as fashion
from benchmark.data.sources import UnavailableError, cache_folder
from methods.errors import UsageError

TRAIN = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
TEST = np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8)
FILES = {"train-images-idx3-ubyte": TRAIN, "t10k-images-idx3-ubyte": TEST}


def idx(images: np.ndarray) -> bytes:
    return b"\x00\x00\x08\x03" + np.array(images.shape, ">u4").tobytes() + images.tobytes()


def write(folder: Path, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in FILES.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(images)))
        else:
            (folder / name).write_bytes(idx(images))


def no_network(folder: Path) -> None:
    raise UnavailableError("failed (no network)")


@pytest.fixture(autouse=True)
def sources(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(fashion, "MACHINE", [tmp_path / "machine"])
    monkeypatch.setattr(fashion, "VALIDATION_ITEMS", 4)
    monkeypatch.setattr(fashion, "CHECKSUMS", {n: hashlib.sha256(idx(i)).hexdigest() for n, i in FILES.items()})
    monkeypatch.setattr(fashion, "fetch_official", no_network)
    monkeypatch.setattr(fashion, "fetch_debian", no_network)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw", "fashion-mnist", "usr/share/datasets/fashion-mnist"])
def test_layouts_of_a_users_folder(tmp_path, layout, packed):
    write(tmp_path / layout, packed)
    data = datasets.create("fashion_mnist", {})
    np.testing.assert_array_equal(data.train[:, 0].numpy(), TRAIN[:8])
    np.testing.assert_array_equal(data.validation[:, 0].numpy(), TRAIN[8:])
    np.testing.assert_array_equal(data.test[:, 0].numpy(), TEST)
    assert data.item_shape == (1, 28, 28)
    assert data.train.dtype == torch.uint8
    assert data.provenance["source"] == "the user's folder"


def test_official_download_before_debian(monkeypatch):
    asked = []
    monkeypatch.setattr(fashion, "fetch_debian", lambda folder: (asked.append("debian"), write(folder, True)))
    assert datasets.create("fashion_mnist", {}).provenance["source"] == "the Debian package"
    assert (cache_folder() / "fashion_mnist" / "t10k-images-idx3-ubyte.gz").is_file()
    assert datasets.create("fashion_mnist", {}).provenance["source"] == "the cache"
    (cache_folder() / "fashion_mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    monkeypatch.setattr(fashion, "fetch_official", lambda folder: write(folder / "FashionMNIST/raw", False))
    assert datasets.create("fashion_mnist", {}).provenance["source"] == "the official download"
    assert asked == ["debian"]


def test_this_machine_before_the_cache(tmp_path):
    write(tmp_path / "machine", True)
    write(cache_folder() / "fashion_mnist", True)
    assert datasets.create("fashion_mnist", {}).provenance["source"] == "this machine"


def test_nothing_works():
    with pytest.raises(UsageError) as caught:
        datasets.create("fashion_mnist", {})
    said = str(caught.value)
    assert "the official download: failed (no network); the Debian package: failed (no network)" in said
    assert said.endswith("name it by --data, or install the Debian package dataset-fashion-mnist")
    assert "\n" not in said


def test_wrong_and_damaged_files_are_refused(tmp_path):
    write(tmp_path, packed=True)
    packed = tmp_path / "train-images-idx3-ubyte.gz"
    content = packed.read_bytes()
    for damaged in (content[:-20], b"<html>", content[:10] + b"\xff" * 50 + content[60:]):
        packed.write_bytes(damaged)
        with pytest.raises(UnavailableError, match=r"^train-images-idx3-ubyte.gz is damaged$"):
            fashion.read(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(255 - TRAIN))
    with pytest.raises(UnavailableError, match=r"^train-images-idx3-ubyte has the wrong checksum$"):
        fashion.read(tmp_path)


def test_fewer_test_items(tmp_path):
    write(tmp_path, packed=False)
    data = datasets.create("fashion_mnist", {"test_items": 2})
    np.testing.assert_array_equal(data.test[:, 0].numpy(), TEST[[0, 2]])
    with pytest.raises(UsageError, match=r"^data set `fashion_mnist`: test_items must be a whole number from 1 to 5"):
        datasets.create("fashion_mnist", {"test_items": 6})
