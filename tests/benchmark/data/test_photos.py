"""The embedded photographs: real files of the installed packages."""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data import Dataset, datasets
from benchmark.data import photos as photos_module
from benchmark.data.photos import GRIDS, SCENES, read, scene_crops
from methods.core.usage import UsageError


@pytest.fixture(scope="module")
def photos() -> Dataset:
    return datasets.create("photos", {})


@pytest.fixture(scope="module")
def read_once():
    """Photographs opened once for all tests of what is made of them."""
    return cache(read)


@pytest.fixture
def opened(read_once, monkeypatch):
    monkeypatch.setattr(photos_module, "read", read_once)


def package_file(name: str) -> Path:
    package, _, rest = name.partition("/")
    return Path(importlib.util.find_spec(package).submodule_search_locations[0]) / rest


def test_shapes_and_counts(photos):
    assert photos.train.shape == (6000, 3, 32, 32)
    assert photos.validation.shape == (1024, 3, 32, 32)
    assert photos.test.shape == (2592, 3, 32, 32)  # at least twice the 1,280 features of the Fréchet extractor
    assert {photos.train.dtype, photos.validation.dtype, photos.test.dtype} == {torch.uint8}


def test_no_scene_is_in_two_splits(photos):
    files = [file for scenes in SCENES.values() for paths in scenes.values() for file in paths]
    names = [name for scenes in SCENES.values() for name in scenes]
    assert len(set(files)) == len(files) == 11
    assert len(set(names)) == len(names) == 10
    pair = {"skimage/data/motorcycle_left.png", "skimage/data/motorcycle_right.png"}
    assert [split for split, scenes in SCENES.items() for paths in scenes.values() if set(paths) & pair] == ["train"]
    assert photos.provenance["scenes"] == {split: list(scenes) for split, scenes in SCENES.items()}


def test_no_crop_is_in_two_splits(photos):
    def digests(crops: torch.Tensor) -> set[bytes]:
        """Of all crops but the flat black ones, which several photographs have."""
        return {crop.tobytes() for crop in crops.numpy() if crop.max() > 8}

    train, validation, test = digests(photos.train), digests(photos.validation), digests(photos.test)
    assert not train & validation
    assert not train & test
    assert not validation & test


def test_a_crop_is_that_window_of_its_photograph(photos):
    picture = np.asarray(Image.open(package_file("skimage/data/astronaut.png")))
    rows, columns = GRIDS["test"]
    row, column = 5, 7
    top, left = row * (512 - 32) // (rows - 1), column * (512 - 32) // (columns - 1)
    crop = photos.test[row * columns + column].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(crop, picture[top : top + 32, left : left + 32])
    last = photos.test[rows * columns - 1].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(last, picture[-32:, -32:])


def test_content_is_the_same_everywhere(photos):
    """Of the two test photographs without lossy compression, whose pixels no decoder may round differently."""
    lossless = photos.test[: 2 * 864].numpy().tobytes()
    assert hashlib.sha256(lossless).hexdigest() == "dfa42f3693556e35e903eb882d8337c727d9f85e1fdae5e01cfe7e9e897a2396"


def test_variance_of_every_split(photos):
    def variance(items: torch.Tensor) -> float:
        values = items.numpy()
        mean = values.sum(dtype=np.int64) / values.size
        return float(np.square(values, dtype=np.uint16).sum(dtype=np.int64) / values.size - mean**2) / 127.5**2

    assert photos.variance == pytest.approx(variance(photos.train), rel=1e-6)
    splits = [photos.train, photos.validation, photos.test]
    assert [variance(items) for items in splits] == pytest.approx([0.328, 0.289, 0.288], abs=2e-3)


def test_building_twice_gives_the_same(photos):
    again = datasets.create("photos", {})
    assert torch.equal(again.train, photos.train)
    assert torch.equal(again.validation, photos.validation)


def test_fewer_test_items(photos, opened):
    few = datasets.create("photos", {"test_items": 3}).test
    assert torch.equal(few, photos.test[[0, 864, 1728]])  # one of each scene
    with pytest.raises(UsageError, match=r"^data set `photos`: test_items must be a whole number from 1 to 2592"):
        datasets.create("photos", {"test_items": 2593})


def test_permuted_colours(photos, opened):
    permuted = datasets.create("photos", {"colours": "permuted"})
    orders = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    for crop in (0, 1, 2, 3, 4, 5, 3007):
        assert torch.equal(permuted.train[crop], photos.train[crop][list(orders[crop % 6])])
    assert torch.equal(permuted.validation, photos.validation)
    assert torch.equal(permuted.test, photos.test)
    assert datasets.identity("photos", {"colours": "own"}) == {"test_items": None}  # keys from before the option
    assert datasets.identity("photos", {"colours": "permuted"}) == {"test_items": None, "colours": "permuted"}
    with pytest.raises(UsageError, match=r"colours"):
        datasets.create("photos", {"colours": "permutated"})


def test_samples_are_spread_over_the_scenes(photos, opened):
    assert len(photos.shown) == 8
    assert [index // 324 for index in photos.shown] == list(range(8))  # one of each eighth
    assert {index // 864 for index in photos.shown} == {0, 1, 2}
    assert datasets.create("photos", {"test_items": 3}).shown == [0, 1, 2]


def test_stereo_pictures_take_turns_by_row():
    dark, light = (np.full((50, 60, 3), value, np.uint8) for value in (1, 2))
    crops = scene_crops([dark, light], rows=3, columns=2)
    assert crops.shape == (6, 32, 32, 3)
    assert crops[:, 0, 0, 0].tolist() == [1, 1, 2, 2, 1, 1]


@pytest.mark.parametrize(("name", "height", "width"), [("retina.jpg", 512, 512), ("hubble_deep_field.jpg", 512, 587)])
def test_large_photographs_are_reduced(name, height, width):
    assert read(f"skimage/data/{name}").shape == (height, width, 3)


def test_missing_package_and_missing_file(monkeypatch):
    monkeypatch.setattr(photos_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"install scikit-learn again$"):
        read("sklearn/datasets/images/china.jpg")
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"^data set `photos`: data/nothing.png can't be read .* scikit-image again$"):
        read("skimage/data/nothing.png")
