"""Latents of a trained encoder: made once, of the right shape, the same every time."""

from pathlib import Path

import pytest
import torch

from benchmark.data import Dataset, datasets, latents
from benchmark.data.parts.clips import Speech
from methods import UsageError


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures under the name of a data set."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (96, 1, 8, 8), dtype=torch.uint8, generator=generator)
    create, trait = datasets.create, datasets.trait

    def created(name: str, options: dict, **supplied: object) -> Dataset:
        if name == "pictures":
            return Dataset(images[:64], images[64:80], images[80:])
        return create(name, options, **supplied)

    monkeypatch.setattr(datasets, "create", created)
    monkeypatch.setattr(datasets, "trait", lambda name, of: "image" if name == "pictures" else trait(name, of))


@pytest.mark.usefixtures("pictures")
def test_latents_of_every_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    torch.manual_seed(3)
    made = datasets.create("latents", {"images": "pictures", "dim": 6, "width": 8, "steps": 3})
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(3)))
    assert [tuple(split.shape) for split in (made.train, made.validation, made.test)] == [(256, 6), (64, 6), (64, 6)]
    assert made.modality == "latents"
    assert made.fresh is None
    assert torch.equal(latents.make("pictures", latents._of_images(6, 8, 3), 4)["test"], made.test)
    assert not torch.equal(latents.make("pictures", latents._of_images(6, 8, 4), 4)["test"], made.test)


def test_latents_of_speech(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    noise = torch.randint(-9000, 9000, (8, 1, 3200), dtype=torch.int16, generator=torch.Generator().manual_seed(0))
    clips = Speech(noise[:4], noise[4:6, :, :1600], noise[6:], modality="audio", sample_rate=16_000)
    create = datasets.create
    monkeypatch.setattr(datasets, "create", lambda name, *_: clips if name == "festvox_ru" else create(name, *_))
    made = datasets.create("speech_latents", {"dim": 6, "steps": 1})
    assert [tuple(split.shape) for split in (made.train, made.validation, made.test)] == [(80, 6), (20, 6), (40, 6)]
    assert made.modality == "latents"


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="steps must be a whole number from 1 to 1000000000"):
        datasets.create("latents", {"steps": 0})
    for images in ("latents", "shifted"):
        with pytest.raises(UsageError, match=f"`{images}` holds no images"):
            datasets.create("latents", {"images": images})
    with pytest.raises(UsageError, match="`fashion_mnist` holds no speech"):
        datasets.create("speech_latents", {"speech": "fashion_mnist"})
