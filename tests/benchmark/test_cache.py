"""What took long is kept; a broken cache only costs time."""

from pathlib import Path

import pytest
import torch

from benchmark import cache as cache_module
from benchmark.cache import FeatureCache, prepared
from methods.core.cache import cache_folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache_module, "WORTH_KEEPING", 0.0)


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, object]:
        self.times += 1
        return {"numbers": torch.arange(4), "notes": {"a.png": "broken"}}


def files() -> list[str]:
    return sorted(path.name for path in (cache_folder() / "prepared").glob("*"))


def test_done_once_per_key():
    work = Work()
    results = [prepared("toy", key, work) for key in ((1, "a"), (1, "a"), (1, "b"))]
    assert work.times == 2
    for result in results:
        assert result["numbers"].tolist() == [0, 1, 2, 3]
        assert result["notes"] == {"a.png": "broken"}
    assert len(files()) == 2
    assert all(name.startswith("toy-") and name.endswith(".pt") for name in files())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"e: nonsense", b"PK\x03\x04 half a file"])
def test_a_damaged_file_is_replaced(content):
    prepared("toy", 1, Work())
    (file,) = (cache_folder() / "prepared").iterdir()
    file.write_bytes(content)
    work = Work()
    assert prepared("toy", 1, work)["numbers"].tolist() == [0, 1, 2, 3]
    assert prepared("toy", 1, work)["numbers"].tolist() == [0, 1, 2, 3]
    assert work.times == 1


def test_quick_work_is_not_kept(monkeypatch):
    monkeypatch.setattr(cache_module, "WORTH_KEEPING", 60.0)
    work = Work()
    prepared("toy", 1, work)
    prepared("toy", 1, work)
    assert work.times == 2
    assert files() == []


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert prepared("toy", 1, Work())["numbers"].tolist() == [0, 1, 2, 3]


def test_a_full_disk_leaves_nothing_behind(monkeypatch):
    def full(result: object, file: object) -> None:
        file.write(b"half")
        raise RuntimeError("PytorchStreamWriter failed")

    monkeypatch.setattr(cache_module.torch, "save", full)
    assert prepared("toy", 1, Work())["notes"] == {"a.png": "broken"}
    assert files() == []


def test_features_are_kept_to_the_bit():
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    FeatureCache("a", 1).save(features)
    assert torch.equal(FeatureCache("a", 1).load(), features)
    assert FeatureCache("a", 2).load() is None


def test_cache_folder_without_variable(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "codebook-bench"
