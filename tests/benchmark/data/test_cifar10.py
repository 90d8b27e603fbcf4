"""CIFAR-10 from a small folder in the authors' format: pickles written by Python 2 and NumPy 1."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from benchmark.data import cifar10 as cifar
from benchmark.data import datasets
from benchmark.data.parts.sources import UnavailableError
from methods.core.usage import UsageError

ROWS = np.random.default_rng(0).integers(0, 256, (5, 4, 3072), np.uint8)  # five files of four images
TEST = np.random.default_rng(1).integers(0, 256, (3, 3072), np.uint8)


def old_pickle(entry: dict[str, object]) -> bytes:
    """As in the authors' files: NumPy under its old name and numbers where booleans are due."""
    new = pickle.dumps(entry, protocol=2)
    assert new.count(b"\x89\x88\x87R") <= 1
    return new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray").replace(
        b"\x89\x88\x87R", b"K\x00K\x01\x87R"
    )


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    base = tmp_path / "data" / "cifar-10-batches-py"
    base.mkdir(parents=True)
    entries = {f"data_batch_{i + 1}": {"data": rows, "labels": [0] * 4} for i, rows in enumerate(ROWS)}
    entries |= {"test_batch": {"data": TEST, "labels": [0] * 3}, "batches.meta": {"label_names": ["cat"]}}
    sums = {}
    for name, entry in entries.items():
        content = old_pickle(entry)
        (base / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in list(entries)[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    monkeypatch.setattr(cifar, "VALIDATION_ITEMS", 6)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path / "data"))
    return base


def test_images_of_a_users_folder(folder):
    data = datasets.create("cifar10", {})
    rows = ROWS.reshape(20, 3, 32, 32)
    np.testing.assert_array_equal(data.train.numpy(), rows[:14])
    np.testing.assert_array_equal(data.validation.numpy(), rows[14:])
    np.testing.assert_array_equal(data.test.numpy(), TEST.reshape(3, 3, 32, 32))
    assert data.train.is_contiguous()
    assert data.provenance["source"] == "the user's folder"
    assert len(datasets.create("cifar10", {"test_items": 2}).test) == 2


class Trap:
    """Unpickling this would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def test_a_file_with_another_checksum_is_never_opened(folder):
    (folder / "data_batch_3").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UnavailableError, match=r"^cifar-10-batches-py is incomplete or damaged$"):
        cifar.read(folder.parent)
    (folder / "data_batch_3").unlink()
    with pytest.raises(UnavailableError, match=r"^cifar-10-batches-py is incomplete or damaged$"):
        cifar.read(folder.parent)


def test_download_lands_in_the_cache(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("CODEBOOK_BENCH_DATA")
    monkeypatch.setattr(cifar, "fetch_official", lambda target: folder.rename(target / "cifar-10-batches-py"))
    assert datasets.create("cifar10", {}).provenance["source"] == "the official download"
    assert datasets.create("cifar10", {}).provenance["source"] == "the cache"


def test_nothing_works(folder, tmp_path, monkeypatch):
    def no_network(target: Path) -> None:
        raise UnavailableError("failed (no network)")

    monkeypatch.setattr(cifar, "fetch_official", no_network)
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path))
    with pytest.raises(UsageError, match=r"the official download: failed \(no network\)\); .* name it by --data$"):
        datasets.create("cifar10", {})
