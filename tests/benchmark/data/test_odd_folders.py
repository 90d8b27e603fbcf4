"""A folder of images may hold anything: what can be read is a data set, all else one sentence, and nothing hangs."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmark.data import Dataset, datasets
from methods import UsageError

FAST = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SLOW = settings(FAST, max_examples=10_000)
names = st.sampled_from(["a.png", "b.JPG", "train", "test", "val", "c.txt", ".d.png", "e\n\x1b[31m.png", "f.gif"])
kinds = st.sampled_from(["image", "rubbish", "empty", "pipe", "loop", "dangling", "up", "folder", "unreadable"])
entries = st.dictionaries(names, kinds, max_size=6)


def fill(folder: Path, found: dict[str, str], good: Path) -> None:
    for name, kind in found.items():
        path = folder / name
        match kind:
            case "image":
                path.write_bytes(good.read_bytes())
            case "rubbish":
                path.write_bytes(good.read_bytes()[:40] + b"\x00" * 9)
            case "empty" | "unreadable":
                path.touch(mode=0o000 if kind == "unreadable" else 0o666)
            case "pipe":
                os.mkfifo(path)
            case "loop":
                path.symlink_to(path)
            case "dangling":
                path.symlink_to(folder / "nowhere")
            case "up":
                path.symlink_to(folder.parent)
            case "folder":
                path.mkdir()
                for number in range(3):
                    (path / f"{number}.png").write_bytes(good.read_bytes())


def check(found: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    good = folder / "good.png"
    Image.new("RGB", (6, 6), (9, 9, 9)).save(good)
    root = folder / "images"
    root.mkdir()
    fill(root, found, good)
    try:
        datasets.identity("image_folder", {"path": str(root), "size": 4})
        data = datasets.create("image_folder", {"path": str(root), "size": 4})
    except UsageError as caught:
        message = str(caught)
        assert message.isprintable()
        return
    assert isinstance(data, Dataset)
    assert str(folder) not in str(data.provenance)
    assert all(name.isprintable() for name in data.provenance["skipped"])


@FAST
@given(found=entries)
def test_folders_of_images(
    found: dict[str, str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(found, tmp_path_factory.mktemp("odd"), monkeypatch)


@pytest.mark.slow
@SLOW
@given(found=entries)
def test_ten_thousand_folders_of_images(
    found: dict[str, str], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(found, tmp_path_factory.mktemp("odd"), monkeypatch)
