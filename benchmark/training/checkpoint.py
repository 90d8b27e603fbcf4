"""Checkpoints: everything the rest of a training depends on, written whole and read without executing anything."""

import io
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from benchmark.processes import all_say, gather, is_first
from benchmark.records.files import opened, write_output
from methods.core.saved import UnreadableError, load_saved
from methods.core.usage import in_words
from methods.parts.processes import rank


class Resumable(Protocol):
    """What can stop and go on: the training of one run on one device."""

    device: torch.device

    @property
    def key(self) -> str:
        """Of the run."""

    def state_dict(self) -> dict[str, Any]:
        """All that the rest depends on but random states."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""

    def seed(self) -> None:
        """Start this process's random numbers."""


class BadCheckpointError(RuntimeError):
    """A checkpoint that is cut short, filled with rubbish, or of another run."""


def save_checkpoint(path: Path, training: Resumable) -> None:
    """Write the state of ``training`` by write-then-rename; of several processes the first writes, and all must call.

    Raises:
        UnwritableError: the disk is full or read-only; the checkpoint before this one is still there.
    """
    random, random_cuda = _random_states(training.device)
    if is_first():
        random_states = {"random": random, "random_cuda": random_cuda}
        _write(path, {**training.state_dict(), "run": training.key, **random_states})


def save_weights(path: Path, system: nn.Module) -> None:
    """Write the ``state_dict`` of a trained system alone, on the CPU; as `save_checkpoint` otherwise."""
    _write(path, {name: value.cpu() for name, value in system.state_dict().items()})


def _write(path: Path, state: dict[str, Any]) -> None:
    # Through memory: PyTorch's own writer may end the process where the disk is full.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_output(path, buffer.getbuffer())


def load_checkpoint(path: Path, training: Resumable, of: str | None = None) -> None:
    """Put ``training`` where it was when ``path`` was written, or the run was whose key ``of`` is.

    Raises:
        BadCheckpointError: the file can't be used, by one of the processes at least; the training is then in no
            defined state.
    """
    problem: Exception | None = None
    try:
        with opened(path) as file:
            _restore(load_saved(file, training.device), training, of or training.key)
    except Exception as error:
        problem = error
    if not all_say(problem is None):
        told = str(problem) if isinstance(problem, UnreadableError) else in_words(problem) if problem else None
        reason = told or "another process can't read it"
        raise BadCheckpointError(f"{path} can't be used: {reason}") from problem


def _restore(state: Any, training: Resumable, run: str) -> None:
    if state["run"] != run:
        raise ValueError(f"it is of another run, {str(state['run'])[:80]}")
    training.load_state_dict(state)
    own = rank()
    if own < len(state["random"]):
        torch.set_rng_state(state["random"][own].cpu())
        if training.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"][own].cpu(), training.device)
    else:  # written by fewer processes
        training.seed()


def _random_states(device: torch.device) -> tuple[list[Tensor], list[Tensor] | None]:
    """Of every process, in the order of ranks."""
    cuda = gather(torch.cuda.get_rng_state(device)) if device.type == "cuda" else None
    return gather(torch.get_rng_state()), cuda
