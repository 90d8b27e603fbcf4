"""Pictures of codewords over a training, kept through an interruption, and drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.data import Dataset, datasets
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.snapshots import Snapshots, principal_plane
from benchmark.training.trainer import Trainer
from methods import create

CPU = torch.device("cpu")


def config(steps: int = 20) -> dict:
    training = {"steps": steps, "batch_size": 32, "learning_rate": 0.1, "optimizer": "sgd", "momentum": 0.9}
    return {
        "method": "vq_vae",
        "params": {"init": "normal"},
        "codebook_size": 8,
        "model": {"name": "identity"},
        "objective": {"name": "squared_error"},
        "training": {**training, "warmup_steps": 0, "clip_norm": None, "ema_decay": None, "precision": "fp32"},
        "seed": 0,
    }


def test_codewords_before_during_and_after(tmp_path: Path) -> None:
    trainer = Trainer(config(), datasets.create("mixture", {"components": 3}), CPU)
    first = trainer.system.quantizer.codebook.detach().clone()
    trainer.fit(tmp_path / "checkpoint.pt", lambda step, row: None)
    trainer.snapshots.save(tmp_path / "snapshots.npz")
    with np.load(tmp_path / "snapshots.npz") as file:
        assert file["steps"].tolist() == [0, 1, 4, 20]
        assert file["latents"].shape == (1000, 2)
        assert np.array_equal(file["codewords"][0], first.numpy())
        assert np.array_equal(file["codewords"][-1], trainer.system.quantizer.codebook.detach().numpy())


def test_what_was_seen_survives_an_interruption(tmp_path: Path) -> None:
    data = datasets.create("mixture", {"components": 3})
    before, after = (Trainer(config(), data, CPU) for _ in range(2))
    before.snapshots.take(0)
    save_checkpoint(tmp_path / "checkpoint.pt", before)
    load_checkpoint(tmp_path / "checkpoint.pt", after)
    assert list(after.snapshots.state_dict()) == ["0"]


def test_images_and_large_codebooks_are_not_looked_at(tmp_path: Path) -> None:
    images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    vectors = datasets.create("shifted", {})
    for dataset, size in ((Dataset(images, images, images), 8), (vectors, 2048)):
        snapshots = Snapshots(dataset, create("vq_vae", size, 8), 10)
        snapshots.take(0)
        snapshots.save(tmp_path / "snapshots.npz")
    assert not snapshots.wanted
    assert not list(tmp_path.iterdir())


def test_the_plane_is_where_the_rows_vary_most() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(500, 5, generator=generator) * torch.tensor([0.1, 3.0, 0.1, 1.0, 0.1]) + 7
    plane = principal_plane(rows)
    assert plane.T @ plane == pytest.approx(torch.eye(2), abs=1e-5)
    assert plane.abs().argmax(0).tolist() == [1, 3]
    assert (plane.gather(0, plane.abs().argmax(0, keepdim=True)) > 0).all()
