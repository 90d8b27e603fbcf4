"""MNIST from small IDX files; what it shares with Fashion-MNIST is tested there."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.data import datasets, mnist
from benchmark.data.parts.sources import UnavailableError
from methods.core.usage import UsageError

FILES = {
    "train-images-idx3-ubyte": np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8),
    "t10k-images-idx3-ubyte": np.random.default_rng(1).integers(0, 256, (5, 28, 28), np.uint8),
}
LABELS = {
    "train-labels-idx1-ubyte": np.arange(12, dtype=np.uint8) % 10,
    "t10k-labels-idx1-ubyte": np.array([9, 2, 1, 1, 6], np.uint8),
}


def _idx(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, laid out as torchvision leaves it; nothing can be fetched."""

    def no_network(folder: Path) -> None:
        raise UnavailableError("failed (no network)")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(mnist, "VALIDATION_ITEMS", 4)
    monkeypatch.setattr(mnist, "fetch_official", no_network)
    for name, files in (("CHECKSUMS", FILES), ("LABEL_CHECKSUMS", LABELS)):
        monkeypatch.setattr(mnist, name, {n: hashlib.sha256(_idx(v)).hexdigest() for n, v in files.items()})
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, values in (FILES | LABELS).items():
        (raw / name).write_bytes(_idx(values))
    return raw


@pytest.mark.usefixtures("folder")
def test_images_and_labels_in_torchvisions_layout() -> None:
    data = datasets.create("mnist", {"test_items": 2})
    np.testing.assert_array_equal(data.train[:, 0].numpy(), FILES["train-images-idx3-ubyte"][:8])
    assert data.test.shape == (2, 1, 28, 28)
    assert data.labels is not None
    assert data.labels().validation.tolist() == [8, 9, 0, 1]
    assert data.labels().test.tolist() == [9, 1]
    assert len(datasets.trait("mnist", "classes")) == 10


@pytest.mark.usefixtures("folder")
def test_another_size() -> None:
    data = datasets.create("mnist", {"size": 32})
    assert data.item_shape == (1, 32, 32)
    assert data.train.dtype == torch.uint8
    flat = torch.full((2, 1, 28, 28), 77, dtype=torch.uint8)
    assert torch.equal(mnist.resized(flat, 32), torch.full((2, 1, 32, 32), 77, dtype=torch.uint8))
    with pytest.raises(UsageError, match="data set `mnist`: size must be a whole number from 4 to 512"):
        datasets.create("mnist", {"size": 2})


def test_a_damaged_file_and_nothing_else(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").write_bytes(b"other")
    with pytest.raises(UsageError, match=r"t10k-images-idx3-ubyte has the wrong checksum.*name it by --data$"):
        datasets.create("mnist", {})
