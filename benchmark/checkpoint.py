"""Checkpoints: everything the rest of a training depends on, written whole and read without executing anything."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from benchmark.training import Trainer


class BadCheckpointError(RuntimeError):
    """A checkpoint that is cut short, filled with rubbish, or of another run."""


def save_checkpoint(path: Path, trainer: Trainer) -> None:
    """Write the state of ``trainer`` by write-then-rename."""
    state = {
        **{name: part.state_dict() for name, part in _parts(trainer).items()},
        "bad_step": trainer.bad_step,
        "progress": asdict(trainer.progress),
        "stopwatch": trainer.stopwatch.totals(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state(trainer.device) if trainer.device.type == "cuda" else None,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(state, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path, trainer: Trainer) -> None:
    """Put ``trainer`` where it was when ``path`` was written.

    Raises:
        BadCheckpointError: the file can't be used; the trainer is then in no defined state.
    """
    try:
        state = torch.load(path, map_location=trainer.device, weights_only=True)
        for name, part in _parts(trainer).items():
            part.load_state_dict(state[name])
        trainer.bad_step.copy_(state["bad_step"])
        for name, value in state["progress"].items():
            setattr(trainer.progress, name, value)
        trainer.stopwatch.restore(state["stopwatch"])
        torch.set_rng_state(state["random"].cpu())
        if trainer.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), trainer.device)
    except Exception as error:
        raise BadCheckpointError(f"{path} can't be used: {type(error).__name__}: {error}") from error


def _parts(trainer: Trainer) -> dict[str, Any]:
    parts = {
        "system": trainer.system,
        "average": trainer.average,
        "optimizer": trainer.optimizer,
        "scheduler": trainer.scheduler,
    }
    return {name: part for name, part in parts.items() if part is not None}
