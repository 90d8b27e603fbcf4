"""Folders of images, good and bad."""

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark import cache as cache_module
from benchmark.data import Dataset, datasets
from benchmark.data import image_folder as folder_module
from benchmark.data.image_folder import square
from benchmark.data.parts import files as files_module
from benchmark.data.parts.files import list_files
from methods.core.usage import UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def fill(folder: Path, values: range, suffix: str = "png") -> Path:
    """Flat grey images, each of its own value."""
    folder.mkdir(parents=True, exist_ok=True)
    for value in values:
        Image.new("RGB", (12, 9), (value, value, value)).save(folder / f"{value:03}.{suffix}")
    return folder


def values(items: torch.Tensor) -> set[int]:
    return set(items[:, 0, 0, 0].tolist())


def build(folder: Path, **options: object) -> Dataset:
    return datasets.create("image_folder", {"path": str(folder), "size": 4, **options})


def test_one_tree_is_split_by_file(tmp_path):
    root = tmp_path / "images"
    fill(root / "cats", range(30))
    fill(root / "dogs" / "small", range(30, 50))
    data = build(root)
    assert data.item_shape == (3, 4, 4)
    assert [len(data.train), len(data.validation), len(data.test)] == [40, 5, 5]
    assert values(data.train) | values(data.validation) | values(data.test) == set(range(50))
    assert min(values(data.train)) < 30 < max(values(data.train))  # drawn, not cut
    again = build(root)
    assert torch.equal(again.test, data.test)
    assert data.provenance["counts"] == {"train": 40, "validation": 5, "test": 5}
    assert data.provenance["skipped"] == {}


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_given_splits_are_kept(tmp_path, name):
    fill(tmp_path / "images" / "train" / "a", range(10))
    fill(tmp_path / "images" / name, range(20, 23))
    fill(tmp_path / "images" / "test", range(30, 32))
    fill(tmp_path / "images" / "rejected", range(40, 45))
    data = build(tmp_path / "images")
    assert values(data.train) == set(range(10))
    assert values(data.validation) == {20, 21, 22}
    assert values(data.test) == {30, 31}


def test_a_missing_split_is_a_tenth_of_train(tmp_path):
    fill(tmp_path / "images" / "train", range(20))
    fill(tmp_path / "images" / "val", range(50, 53))
    data = build(tmp_path / "images")
    assert values(data.validation) == {50, 51, 52}
    assert [len(data.train), len(data.test)] == [18, 2]
    assert values(data.train) | values(data.test) == set(range(20))


def test_unreadable_images_are_named_skipped_and_counted(tmp_path, capsys):
    root = fill(tmp_path / "images", range(10), "jpg")
    (root / "empty.png").touch()
    (root / "text.jpg").write_text("not an image")
    (root / "gone.png").symlink_to(tmp_path / "nowhere")
    content = (root / "000.jpg").read_bytes()
    (root / "cut.jpg").write_bytes(content[: len(content) // 2])
    (root / "notes.txt").write_text("not even meant to be one")
    (root / ".hidden.png").touch()
    data = build(root)
    assert sorted(data.provenance["skipped"]) == ["cut.jpg", "empty.png", "gone.png", "text.jpg"]
    assert str(tmp_path) not in str(data.provenance)
    assert len(data.train) + len(data.validation) + len(data.test) == 10
    assert data.provenance["other_files"] == {".txt": 1}
    left_out, passed_over = capsys.readouterr().err.splitlines()
    assert left_out.startswith("data set `image_folder`: left out 4 images that can't be read: ")
    assert passed_over == "data set `image_folder`: passed over files of other kinds: 1 .txt"


def test_only_some_unreadable_images_are_named_on_the_screen(tmp_path, capsys):
    root = fill(tmp_path / "images", range(3))
    for i in range(8):
        (root / f"bad{i}.png").touch()
    assert len(build(root).provenance["skipped"]) == 8
    said = capsys.readouterr().err
    assert said.count("bad") == 5
    assert said.endswith(" and 3 more\n")


def test_too_few_images(tmp_path):
    root = fill(tmp_path / "images", range(2))
    (root / "bad.png").touch()
    with pytest.raises(UsageError, match=r"only 2 images can be read in .*images; at least 3 are needed$"):
        build(root)
    fill(root, range(3))
    data = build(root)
    assert [len(data.train), len(data.validation), len(data.test)] == [1, 1, 1]


def test_a_given_split_without_readable_image(tmp_path):
    fill(tmp_path / "images" / "train", range(10))
    (tmp_path / "images" / "test").mkdir()
    (tmp_path / "images" / "test" / "bad.png").touch()
    with pytest.raises(UsageError, match=r"no image for test can be read in "):
        build(tmp_path / "images")


def test_wrong_options(tmp_path):
    with pytest.raises(UsageError, match=r"^data set `image_folder`: there is no folder .*nowhere$"):
        build(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"there is no folder 3$"):
        datasets.create("image_folder", {"path": 3, "size": 4})
    with pytest.raises(UsageError, match=r"size must be a whole number of at least 1, not 0$"):
        build(tmp_path, size=0)
    with pytest.raises(UsageError, match=r"limit must be a whole number of at least 1, not 'all'$"):
        build(tmp_path, limit="all")
    with pytest.raises(UsageError, match=r"needs the parameter `size`$"):
        datasets.create("image_folder", {"path": str(tmp_path)})


def test_limit_is_per_folder(tmp_path):
    fill(tmp_path / "images" / "train", range(20))
    fill(tmp_path / "images" / "test", range(30, 40))
    data = build(tmp_path / "images", limit=8)
    assert [len(data.train), len(data.validation), len(data.test)] == [7, 1, 8]


def test_more_pixels_than_memory(tmp_path):
    fill(tmp_path / "images", range(3))
    with pytest.raises(UsageError, match=r"3 images of 10000000x10000000 need 838190 GiB .* set `limit` or a smaller"):
        build(tmp_path / "images", size=10**7)


def test_identity_follows_content_not_place(tmp_path):
    def identity(folder: Path, **options: object) -> dict[str, object]:
        return datasets.identity("image_folder", {"path": str(folder), "size": 4, **options})

    first = fill(tmp_path / "first", range(5))
    shutil.copytree(first, tmp_path / "second")
    assert identity(first) == identity(tmp_path / "second")
    assert set(identity(first)) == {"content", "size", "limit"}
    assert identity(first) != identity(first, limit=3)
    (tmp_path / "second" / "004.png").rename(tmp_path / "second" / "005.png")
    assert identity(first) != identity(tmp_path / "second")
    (tmp_path / "second" / "005.png").rename(tmp_path / "second" / "004.png")
    with (tmp_path / "second" / "004.png").open("ab") as file:
        file.write(b"0")
    assert identity(first) != identity(tmp_path / "second")
    with pytest.raises(UsageError, match=r"there is no folder"):
        identity(tmp_path / "nowhere")


def test_decoded_images_are_kept_until_a_file_changes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cache_module, "WORTH_KEEPING", 0.0)
    root = fill(tmp_path / "images", range(10))
    (root / "bad.png").touch()
    first = build(root)
    monkeypatch.setattr(folder_module, "square", None)
    second = build(root)
    assert torch.equal(first.train, second.train)
    assert capsys.readouterr().err.count("left out 1 images that can't be read: bad.png\n") == 2
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Image.new("RGB", (12, 9), (0, 0, 0)).save(root / "bad.png")
    assert build(root).provenance["skipped"] == {}


def test_images_smaller_than_the_square_are_counted(tmp_path, capsys):
    root = fill(tmp_path / "images", range(20))  # 12x9
    Image.new("RGB", (10, 40)).save(root / "large.png")
    assert build(root, size=9).provenance["enlarged"] == 0
    assert "enlarged" not in capsys.readouterr().err
    for _ in ("decoded", "cached"):
        data = build(root, size=10)
        assert data.provenance["enlarged"] == 20
        assert "data set `image_folder`: enlarged 20 images with a side below 10 pixels" in capsys.readouterr().err
    assert len(data.train) + len(data.validation) + len(data.test) == 21


def test_middle_square_is_kept(tmp_path):
    ramp = np.tile((8 * np.arange(30, dtype=np.uint8))[:, None], (10, 1, 3))  # 8 times the column
    Image.fromarray(ramp).save(tmp_path / "wide.png")
    Image.fromarray(ramp.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    same_size = [8 * column for column in range(10, 20)]
    halved = [8 * (column + 0.5) for column in range(10, 20, 2)]
    for size, expected in ((10, same_size), (5, halved)):
        assert square(tmp_path / "wide.png", size, set())[0, 2].tolist() == expected
        assert square(tmp_path / "tall.png", size, set())[1, :, 2].tolist() == expected


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 70, [70, 70, 70]),
        ("1", 1, [255, 255, 255]),
        ("RGBA", (10, 20, 30, 0), [10, 20, 30]),
        ("LA", (70, 5), [70, 70, 70]),
        ("CMYK", (0, 255, 255, 0), [255, 0, 0]),
        ("I;16", 70 * 256 + 9, [70, 70, 70]),
    ],
)
def test_every_mode_becomes_three_channels(tmp_path, mode, colour, expected):
    file = tmp_path / "image.tif"
    Image.new(mode, (6, 6), colour).save(file)
    assert square(file, 2, set())[:, 0, 0].tolist() == expected


@pytest.mark.parametrize("mode", ["I", "F"])
def test_modes_without_range_are_unreadable(tmp_path, mode):
    Image.new(mode, (6, 6), 70).save(tmp_path / "image.tif")
    assert (
        square(tmp_path / "image.tif", 2, set()) == f"its pixels are of Pillow's mode {mode}, which has no fixed range"
    )


def test_camera_rotation_is_followed(tmp_path):
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    Image.fromarray(picture).save(tmp_path / "image.png", exif=exif)
    assert square(tmp_path / "image.png", 8, set())[0, :, 0].tolist() == [0] * 4 + [255] * 4


def test_linked_folders_are_followed_and_circles_end(tmp_path):
    root = tmp_path / "images"
    fill(root / "train" / "cats", range(10))
    fill(tmp_path / "elsewhere", range(20, 24))
    (root / "val").symlink_to(tmp_path / "elsewhere")
    (root / "test").mkdir()
    (root / "test" / "dogs").symlink_to(fill(tmp_path / "pool", range(30, 33)))
    (root / "train" / "again").symlink_to(root)
    data = build(root)
    assert values(data.train) == set(range(10))
    assert values(data.validation) == {20, 21, 22, 23}
    assert values(data.test) == {30, 31, 32}
    assert data.provenance["skipped"] == {
        "train/again": "a link to a folder that it lies in, or to which many links lead"
    }


def test_a_pyramid_of_links_ends(tmp_path):
    root = fill(tmp_path / "images", range(3))
    for level in range(30):
        (root / str(level)).mkdir()
        for name in "ab":
            (root / str(level) / name).symlink_to(root / str(level + 1))
    assert len(list_files(root, {".png"}).states) == 3


def test_what_is_no_file_is_passed_over(tmp_path):
    root = fill(tmp_path / "images", range(3))
    os.mkfifo(root / "pipe.png")
    assert build(root).provenance["skipped"] == {"pipe.png": "a pipe, a socket or a device, not a file"}


def test_more_pixels_than_are_read(tmp_path, monkeypatch):
    Image.new("RGB", (13_000, 3)).save(tmp_path / "wide.png")
    monkeypatch.setattr(folder_module, "MOST_PIXELS", 38_999)
    assert square(tmp_path / "wide.png", 2, set()) == "13,000 x 3 pixels are more than the 38,999 that are read"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # `decode` ignores it
def test_a_bomb_of_pixels_is_not_unpacked(tmp_path):
    rows = zlib.compress(bytes(13_000 * (1 + 13_000 // 8)))
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", 13_000, 13_000, 1, 0, 0, 0, 0), b"IDAT" + rows, b"IEND")
    packed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    reason = "13,000 x 13,000 pixels are more than the 67,108,864 that are read"
    assert square(tmp_path / "bomb.png", 2, set()) == reason


def test_images_edited_in_place_are_other_data(tmp_path):
    root = fill(tmp_path / "images", range(10), "bmp")
    options = {"path": str(root), "size": 4}
    before = datasets.identity("image_folder", options)["content"]
    state = (root / "003.bmp").stat()
    Image.new("RGB", (12, 9), (200, 200, 200)).save(root / "003.bmp")
    os.utime(root / "003.bmp", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (root / "003.bmp").stat().st_size == state.st_size
    data = build(root)
    assert datasets.identity("image_folder", options)["content"] == data.provenance["content"] != before
    assert 200 in values(data.train) | values(data.validation) | values(data.test)


def test_bytes_are_read_again_only_after_a_change(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "WORTH_KEEPING", 0.0)
    monkeypatch.setattr(files_module, "SETTLED", 0)
    root = fill(tmp_path / "images", range(3))
    before = list_files(root, {".png"}).content
    monkeypatch.setattr(files_module, "hash_file", lambda file: b"")
    assert list_files(root, {".png"}).content == before
    os.utime(root / "001.png")
    assert list_files(root, {".png"}).content != before
