"""Fashion-MNIST from small IDX files in every layout, with sources that tests put in place."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.data import datasets
from benchmark.data import fashion_mnist as fashion
from benchmark.data.parts.sources import UnavailableError
from methods.core.cache import cache_folder
from methods.core.usage import UsageError

TRAIN = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
TEST = np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8)
LABELS = {
    "train-labels-idx1-ubyte": np.arange(12, dtype=np.uint8) % 10,
    "t10k-labels-idx1-ubyte": np.array([9, 2, 1, 1, 6], np.uint8),
}
FILES = {"train-images-idx3-ubyte": TRAIN, "t10k-images-idx3-ubyte": TEST}


def idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def write(folder: Path, packed: bool, files: dict[str, np.ndarray] = FILES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, images in files.items():
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
    monkeypatch.setattr(fashion, "LABEL_CHECKSUMS", {n: hashlib.sha256(idx(i)).hexdigest() for n, i in LABELS.items()})
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


@pytest.mark.parametrize("packed", [False, True])
def test_labels_lie_beside_the_images(tmp_path, packed):
    write(tmp_path / "fashion-mnist", packed, LABELS)
    found = fashion.labels()
    assert found.train.tolist() == list(range(8))
    assert found.validation.tolist() == [8, 9, 0, 1]
    assert found.test.tolist() == [9, 2, 1, 1, 6]
    assert found.test.dtype == torch.int64


def test_a_data_set_has_the_labels_of_its_own_test_items(tmp_path):
    write(tmp_path, packed=True, files=FILES | LABELS)
    data = datasets.create("fashion_mnist", {"test_items": 2})
    found = data.labels()
    assert [len(split) for split in found] == [len(data.train), len(data.validation), len(data.test)]
    assert found.test.tolist() == [9, 1]  # the first and the third of five
    assert len(datasets.trait("fashion_mnist", "classes")) == 10


def test_labels_come_from_elsewhere_where_a_folder_has_images_only(tmp_path, monkeypatch):
    write(tmp_path, packed=True)
    monkeypatch.setattr(fashion, "fetch_debian", lambda folder: write(folder, True, FILES | LABELS))
    assert fashion.labels().test.tolist() == [9, 2, 1, 1, 6]
    data = datasets.create("fashion_mnist", {})
    assert data.provenance["source"] == "the user's folder"
    assert set(data.provenance["sha256"]) == set(FILES)


def test_labels_nowhere(tmp_path):
    write(tmp_path, packed=True)
    with pytest.raises(
        UsageError, match="no train-labels-idx1-ubyte.* else put train-labels-idx1-ubyte and t10k-labels"
    ):
        fashion.labels()
