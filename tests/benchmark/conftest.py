"""A tiny real suite: a folder of images, a small model, a few steps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from benchmark.data import Dataset


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Sixty 16x16 colour images of smooth random gradients."""
    folder = tmp_path / "images"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(60):
        corners = generator.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(corners).resize((16, 16), Image.Resampling.BILINEAR).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture
def dataset() -> Dataset:
    """Thirty-two colour images of noise to train on, eight for validation, eight for the test."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (48, 3, 8, 8), dtype=torch.uint8, generator=generator)
    return Dataset(images[:32], images[32:40], images[40:])


@pytest.fixture
def tiny(images: Path) -> dict[str, object]:
    """Content of a suite that trains in a fraction of a second a run."""
    return {
        "question": "Does it run?",
        "dataset": {"name": "image_folder", "path": str(images), "size": 16},
        "model": {"name": "conv", "width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4},
        "training": {"steps": 10, "batch_size": 8, "learning_rate": 1e-3},
        "evaluation": {"features": None, "lpips": []},
        "seeds": 1,
        "grid": {"codebook_size": [8]},
        "methods": ["vq_vae", "simvq"],
    }


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[[dict[str, object] | str], str]:
    """Writes a suite file and answers its path."""

    def write(content: dict[str, object] | str) -> str:
        file = tmp_path / "tiny.yaml"
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return str(file)

    return write
