"""Signs of an npm package, with small pictures in place of the package's own."""

import numpy as np
import pytest
from PIL import Image

from benchmark.data import datasets
from benchmark.data import emoji as module
from benchmark.data.emoji import PICTURES, design
from benchmark.data.parts.files import list_files
from benchmark.data.parts.sources import UnavailableError
from methods.core.usage import UsageError


@pytest.mark.parametrize(
    ("code_points", "expected"),
    [
        ("1f469-1f3fd-200d-1f52c", "1f9d1-1f52c"),
        ("1f9d1-200d-1f52c", "1f9d1-1f52c"),
        ("1f3c3-1f3fb-200d-2640-fe0f", "1f3c3"),
        ("0023-fe0f-20e3", "0023-20e3"),
        ("1f1e7-1f1e9", "1f1e7-1f1e9"),
    ],
)
def test_variants_are_one_design(code_points, expected):
    assert design(code_points) == expected


@pytest.fixture
def signs(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "package" / PICTURES
    folder.mkdir(parents=True)
    tones = ["", "-1f3fb", "-1f3ff"]
    for number in range(40):
        for tone in tones:
            values = np.random.default_rng([number, tones.index(tone)]).integers(0, 256, (8, 8, 4), np.uint8)
            Image.fromarray(values).save(folder / f"{0x1F600 + number:x}{tone}.png")
    Image.new("RGBA", (8, 8)).save(folder / "2b1b.png")
    Image.new("RGBA", (8, 8), (255, 255, 255, 255)).save(folder / "2b1c.png")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CODEBOOK_BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(module, "CONTENT", list_files(folder, {".png"}).content)
    return folder


def test_split_by_design_and_on_white(signs):
    data = datasets.create("emoji", {})
    counts = data.provenance["counts"]
    assert counts == {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    assert sum(counts.values()) == 121  # the blank and the white sign are the same on white
    assert all(sum(count % 3 for count in counts.values()) <= 1 for _ in counts)
    assert data.item_shape == (3, 8, 8)
    whole = [split for split in (data.train, data.validation, data.test) if (split == 255).flatten(1).all(1).any()]
    assert len(whole) == 1


def test_other_pictures_and_missing_ones(signs, monkeypatch):
    def nothing(folder):
        raise UnavailableError("no npm on this machine")

    monkeypatch.setattr(module, "fetch", nothing)
    (signs / "2b1c.png").unlink()
    with pytest.raises(UsageError, match=r"the 121 pictures are not those of emoji-datasource-google@16\.0\.0"):
        datasets.create("emoji", {})
    signs.rename(signs.with_name("65"))
    with pytest.raises(UsageError, match=r"no img/google/64 of emoji.*no npm on this machine.*name that by --data"):
        datasets.create("emoji", {})


def test_no_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="no npm"):
        module.fetch(tmp_path)


@pytest.mark.slow
def test_the_real_package(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = datasets.create("emoji", {})
    assert sum(data.provenance["counts"].values()) == 3767
