"""A tiny real suite: a folder of images, a small model, a few steps; and a launcher that needs no processes."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from benchmark import commands
from benchmark.data import Dataset
from benchmark.sweep import launching
from benchmark.sweep.launchers import Event, Launcher
from benchmark.worker import fitting
from benchmark.worker.__main__ import work
from benchmark.worker.job import Job


class InProcess:
    """A launcher that does one run after the other in this process: a worker's start takes 6 s, a tiny run 0.1 s.

    For tests of what happens around runs. What a process of its own is for is tested in test_launchers.py.
    """

    def __init__(self, slots: int = 1) -> None:
        pass

    def launch(self, jobs: Iterable[Job]) -> Iterator[Event]:
        for job in jobs:
            yield Event("started", job)
            told: list[dict[str, Any]] = []
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(fitting, "emit", told.append)
                work(replace(job, threads=1))  # two would mostly wait for each other
            yield from (Event("progress", job, **fields) for fields in told)
            yield Event("ended", job)

    def stop(self) -> None:
        pass


@pytest.fixture
def in_process() -> Launcher:
    """See `InProcess`."""
    return InProcess()


@pytest.fixture
def commands_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that train do so in this process; see `InProcess`."""
    for module in (launching, commands):
        monkeypatch.setattr(module, "LocalLauncher", InProcess)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty 16x16 colour images of smooth random gradients, to be left as they are."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for index in range(30):
        corners = generator.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(corners).resize((16, 16), Image.Resampling.BILINEAR).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture
def dataset() -> Dataset:
    """Thirty-two colour images of noise to train on, eight for validation, eight for the test."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (48, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return Dataset(images[:32], images[32:40], images[40:])


@pytest.fixture(scope="session")
def tiny_as_it_is(images: Path) -> dict[str, object]:
    """`tiny`, for what outlives a test: not to be changed."""
    return {
        "question": "Does it run?",
        "dataset": {"name": "image_folder", "path": str(images), "size": 16},
        "model": {"name": "conv", "width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4},
        "training": {"steps": 5, "batch_size": 8, "learning_rate": 1e-3},
        "evaluation": {"features": None, "lpips": []},
        "seeds": 1,
        "grid": {"codebook_size": [8]},
        "methods": ["vq_vae", "simvq"],
    }


@pytest.fixture
def tiny(tiny_as_it_is: dict[str, object]) -> dict[str, object]:
    """Content of a suite that trains in a fraction of a second a run."""
    return deepcopy(tiny_as_it_is)


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[[dict[str, object] | str], str]:
    """Writes a suite file and answers its path."""

    def write(content: dict[str, object] | str) -> str:
        file = tmp_path / "tiny.yaml"
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return str(file)

    return write
