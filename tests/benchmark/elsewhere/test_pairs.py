"""Originals and reconstructions from folders and arrays, paired by name or by place."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from benchmark.elsewhere import measure
from methods import UsageError

PLAIN = {"features": None, "lpips": []}
RATE = 16_000


@pytest.fixture
def grey(tmp_path: Path) -> tuple[Path, Path]:
    """Three 12x12 images, 0 and 10 grey levels from their reconstructions, in folders below folders."""
    for side, added in (("a", 0), ("b", 10)):
        (tmp_path / side / "class").mkdir(parents=True)
        for number in range(3):
            values = np.full((12, 12), 50 * number + added, np.uint8)
            Image.fromarray(values).save(tmp_path / side / "class" / f"{number}.png")
    return tmp_path / "a", tmp_path / "b"


def test_folders_of_images(grey: tuple[Path, Path], tmp_path: Path) -> None:
    found = measure(originals=grey[0], reconstructions=grey[1], options=PLAIN, samples=tmp_path / "new")
    assert found.metrics["n_images"] == 3
    assert found.metrics["psnr"] == pytest.approx(20 * math.log10(255 / 10), abs=1e-3)
    assert found.metrics["mse"] == pytest.approx((10 / 127.5) ** 2, rel=1e-5)
    assert "usage" not in found.metrics
    with Image.open(tmp_path / "new" / "samples.png") as sheet:
        assert sheet.size == (36, 24)


@pytest.mark.parametrize("layout", ["NHW", "NCHW", "NHWC"])
@pytest.mark.parametrize("kind", ["uint8", "0,1", "-1,1"])
def test_arrays_of_images_in_every_layout_and_range(layout: str, kind: str) -> None:
    bytes_ = np.random.default_rng(0).integers(0, 200, (3, 12, 12), np.uint8)
    sides = [bytes_, bytes_ + np.uint8(10)]
    value_range = None
    if kind != "uint8":
        low = float(kind.split(",")[0])
        sides = [side.astype(np.float32) / 255 * (1 - low) + low for side in sides]
        value_range = (low, 1.0)
    axis = {"NHW": (), "NCHW": (1,), "NHWC": (3,)}[layout]
    first, second = (np.expand_dims(side, axis) for side in sides)
    found = measure(originals=first, reconstructions=second, options=PLAIN, value_range=value_range)
    assert found.metrics["psnr"] == pytest.approx(20 * math.log10(255 / 10), abs=1e-3)


def test_folders_of_sounds(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    for side, scale, longer in (("a", 1, 0), ("b", 0.5, 100)):
        (tmp_path / side).mkdir()
        soundfile.write(tmp_path / side / "one.wav", np.pad(sound * scale, (0, longer)), RATE, subtype="FLOAT")
    codes = np.zeros((50, 1), int)
    found = measure(codes, 2, originals=tmp_path / "a", reconstructions=tmp_path / "b", options={"speech": []})
    assert found.metrics["n_clips"] == 1
    assert found.metrics["seconds"] == 1
    assert found.metrics["si_sdr"] is not None
    assert found.metrics["si_sdr"] > 60  # only the scale differs
    assert found.metrics["bandwidth_kbps"] == pytest.approx(0.05)


def test_what_does_not_go_together_is_one_sentence(grey: tuple[Path, Path], tmp_path: Path) -> None:
    originals, reconstructions = grey
    images = np.zeros((2, 8, 8), np.uint8)

    def refused(message: str, first: object = originals, second: object = reconstructions, **options: object) -> None:
        with pytest.raises(UsageError, match=message):
            measure(originals=first, reconstructions=second, **options)  # type: ignore[arg-type]

    refused("one of them is missing", second=None)
    refused("reconstructions: there is no folder or file nowhere", second="nowhere")
    refused("two folders or two arrays, not one of each", second=images)
    refused("a sample rate is of sounds, and these are images", sample_rate=RATE)
    refused(r"originals are of shape \[2, 1, 8, 8\], reconstructions of \[1, 1, 8, 8\]", images, images[:1])
    refused("must be uint8 .* alike, not float32 and uint8", images, images.astype(np.float32))
    refused("need the range of their values", images / 255, images / 255)
    bright = images + np.arange(2.0)[:, None, None] * 2
    refused("originals hold values from 0 to 2, and their range is 0 to 1", bright, images / 1, value_range=(0.0, 1.0))
    refused("from a lower to a higher number, not from 1 to 0", images / 255, images / 255, value_range=(1.0, 0.0))
    for wrong in (1, "01", (0, 1, 2), (0, math.inf), (0, None)):
        refused("the range of values is two finite numbers, as in", images / 255, images / 255, value_range=wrong)
    refused("images that are uint8 go from 0 to 255", images, images, value_range=(0, 1))
    refused("a range of values is of arrays of floats, and these are folders", value_range=(0, 1))
    waves = np.zeros((1, RATE))
    refused("of images that are floats; sounds lie in", waves, waves, sample_rate=RATE, value_range=(0, 1))
    for rate in (0, 16e3, "16k"):
        refused("the sample rate must be a whole number of at least 1", waves, waves, sample_rate=rate)
    refused("`options` must be a mapping", images, images, options=["features"])
    refused(
        r"must be images .* not uint8 of shape \[2, 64\]; of sounds give", images.reshape(2, -1), images.reshape(2, -1)
    )
    refused("must be waveforms in .* not uint8 of shape", images[0], images[0], sample_rate=RATE)
    refused("`training_codes` is of codes that a run counts", options={"training_codes": True})
    refused("no parameter `feature`", options={"feature": None})
    Image.new("L", (12, 11)).save(reconstructions / "class" / "2.png")
    refused("2.png has 12 x 11 pixels, the first image 12 x 12", options=PLAIN)
    (reconstructions / "class" / "2.png").unlink()
    refused("has no partner of class/2.png; names must be the same")
    Image.new("L", (12, 12)).save(reconstructions / "class" / "0.bmp")
    refused("holds both class/0.bmp and class/0.png")
    (reconstructions / "said.wav").touch()
    refused(r"/a and .*/b hold images and sounds, class/0.png and said.wav: measure them apart")
    (tmp_path / "empty").mkdir()
    refused("there are no images and no sounds in", tmp_path / "empty", tmp_path / "empty")
