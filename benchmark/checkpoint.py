"""Checkpoints: everything the rest of a training depends on, written whole and read without executing anything."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from benchmark.parallel import all_say, gather, is_first, rank
from benchmark.records import write_output
from benchmark.run import run_key

if TYPE_CHECKING:
    from benchmark.training import Trainer


class BadCheckpointError(RuntimeError):
    """A checkpoint that is cut short, filled with rubbish, or of another run."""


def save_checkpoint(path: Path, trainer: Trainer) -> None:
    """Write the state of ``trainer`` by write-then-rename; of several processes the first writes, and all must call.

    Raises:
        UnwritableError: the disk is full or read-only; the checkpoint before this one is still there.
    """
    random, random_cuda = _random_states(trainer.device)
    if not is_first():
        return
    state = {
        **{name: part.state_dict() for name, part in _parts(trainer).items()},
        "run": _name(trainer),
        "bad_step": trainer.bad_step,
        "progress": asdict(trainer.progress),
        "stopwatch": trainer.stopwatch.totals(),
        "random": random,
        "random_cuda": random_cuda,
    }
    _write(path, state)


def save_weights(path: Path, system: nn.Module) -> None:
    """Write the ``state_dict`` of a trained system alone, on the CPU; as `save_checkpoint` otherwise."""
    _write(path, {name: value.cpu() for name, value in system.state_dict().items()})


def _write(path: Path, state: dict[str, Any]) -> None:
    # Through memory: PyTorch's own writer may end the process where the disk is full.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_output(path, buffer.getbuffer())


def load_checkpoint(path: Path, trainer: Trainer) -> None:
    """Put ``trainer`` where it was when ``path`` was written.

    Raises:
        BadCheckpointError: the file can't be used, by one of the processes at least; the trainer is then in no
            defined state.
    """
    problem: Exception | None = None
    try:
        _restore(torch.load(path, map_location=trainer.device, weights_only=True), trainer)
    except Exception as error:
        problem = error
    if not all_say(problem is None):
        reason = f"{type(problem).__name__}: {problem}" if problem else "another process can't read it"
        raise BadCheckpointError(f"{path} can't be used: {reason}") from problem


def _restore(state: dict[str, Any], trainer: Trainer) -> None:
    if state["run"] != _name(trainer):
        raise ValueError(f"it is of another run, {str(state['run'])[:80]}")
    for name, part in _parts(trainer).items():
        part.load_state_dict(state[name])
    trainer.bad_step.copy_(state["bad_step"])
    trainer.progress = type(trainer.progress)(**state["progress"])
    trainer.stopwatch.restore(state["stopwatch"])
    own = rank()
    if own < len(state["random"]):
        torch.set_rng_state(state["random"][own].cpu())
        if trainer.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"][own].cpu(), trainer.device)
    else:  # written by fewer processes
        trainer.seed()


def _random_states(device: torch.device) -> tuple[list[Tensor], list[Tensor] | None]:
    """Of every process, in the order of ranks."""
    cuda = gather(torch.cuda.get_rng_state(device)) if device.type == "cuda" else None
    return gather(torch.get_rng_state()), cuda


def _name(trainer: Trainer) -> str:
    return run_key(trainer.config)


def _parts(trainer: Trainer) -> dict[str, Any]:
    parts = {
        "system": trainer.system,
        "objective": trainer.objective,
        "average": trainer.average,
        "optimizer": trainer.optimizer,
        "scheduler": trainer.scheduler,
        "snapshots": trainer.snapshots if trainer.snapshots.wanted else None,
    }
    return {name: part for name, part in parts.items() if part is not None}
