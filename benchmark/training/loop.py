"""The loop of every training, tokenizer or prior: history, time limit, checkpoints, a stop between two steps."""

import faulthandler
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from benchmark.processes import average_gradients, first_says
from benchmark.records.files import UnwritableError
from benchmark.records.run import run_key
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.optimization import align_gradients, restore
from methods.parts.processes import all_reduce_min

HISTORY_POINTS = 25
PROGRESS_POINTS = 200
SLOW_STEP = 0.5
"""Seconds; what takes longer is timed once, for an estimate."""
CHECKPOINT_SECONDS = 30.0
HUNG_SECONDS = 120.0
"""How far a step may go beyond the time limit before the process is ended from within."""
Row = dict[str, float]
_STDERR = 2
_LOG = logging.getLogger(__name__)


class DivergedError(RuntimeError):
    """The loss became infinite or NaN."""


class Stopped(KeyboardInterrupt):
    """The run was asked to stop, and not by something in it: what a method raises by itself is its failure."""


class OutOfTimeError(RuntimeError):
    """``training.timeout`` was reached."""


@dataclass
class Progress:
    """Where a training stands: steps, seconds they took, and those before the first for a start from data.

    ``origin``: what it began from where that is not a start of its own: ``init_from`` or ``continued``, for the record.
    """

    step: int = 0
    seconds: float = 0.0
    start_seconds: float = 0.0
    history: list[Row] = field(default_factory=list)
    origin: dict[str, Any] = field(default_factory=dict)


class Loop(ABC):
    """Trains to the last step of ``settings``, from a checkpoint where there is one.

    ``config``: of the run. ``optimizer`` and its ``scheduler``: set by a subclass; None where nothing is trained by
    gradient. ``stop_requested``: set it, and the loop ends between two steps. ``earlier_seconds``: of the progress what
    other processes made before a stop. ``bad_step``: the first
    whose loss was not finite, counted from 1, else -1; kept on the device, for to read it at every step would make
    every step wait for a GPU.
    """

    optimizer: Optimizer | None
    scheduler: LRScheduler | None

    def __init__(
        self, config: dict[str, Any], settings: dict[str, Any], device: torch.device, timeout: float | None
    ) -> None:
        self.config = config
        self.settings = settings
        self.device = device
        self.timeout = timeout
        self.progress = Progress()
        self.earlier_seconds = 0.0
        self.bad_step = torch.full((), -1, device=device, dtype=torch.int64)
        self.stop_requested = False

    @abstractmethod
    def step(self, step: int) -> dict[str, Tensor]:
        """Train on the batch of ``step``, which counts from 0; the terms of its loss."""

    @abstractmethod
    def seed(self) -> None:
        """Start this process's random numbers."""

    @abstractmethod
    def _parts(self) -> dict[str, Any]:
        """What is saved beside the progress, by name."""

    @abstractmethod
    def _measured(self, terms: dict[str, Tensor]) -> Row:
        """What the history says of the current step, beside where it stands."""

    def _start(self) -> None:  # noqa: B027
        """What comes before the first step of all; a training that goes on from a checkpoint has it behind it."""

    def _before(self, step: int) -> None:  # noqa: B027
        """What comes before ``step``; what it adds to ``start_seconds`` does not count as training."""

    def _after(self, step: int) -> None:  # noqa: B027
        """What comes after ``step`` steps."""

    @property
    def key(self) -> str:
        """Of the run."""
        return run_key(self.config)

    def state_dict(self) -> dict[str, Any]:
        """Everything the rest of the training depends on but random states."""
        return {
            **{name: part.state_dict() for name, part in self._parts().items()},
            "bad_step": self.bad_step,
            "progress": asdict(self.progress),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        for name, part in self._parts().items():
            if isinstance(part, torch.optim.Optimizer):
                restore(part, state[name])
            else:
                part.load_state_dict(state[name])
        self.bad_step.copy_(state["bad_step"])
        self.progress = Progress(**state["progress"])
        self.earlier_seconds = self.progress.start_seconds + self.progress.seconds

    def fit(self, checkpoint: Path, report: Callable[[int, Row], None]) -> None:
        """Train to the last step, from ``checkpoint`` where there is one.

        Args:
            checkpoint: written every 30 s, so that a killed run goes on.
            report: called, on every process, now and then with the step and the latest row of the history.

        Raises:
            Stopped: ``stop_requested`` was set; the checkpoint holds the state after a whole step.
            DivergedError: a loss was not finite.
            OutOfTimeError: the time limit was reached.
            BadCheckpointError: the checkpoint can't be used.
        """
        with _ended_if_hung(self.timeout):
            self._begin(checkpoint)
            self._loop(checkpoint, report)

    def _begin(self, checkpoint: Path) -> None:
        (resumed,) = first_says(checkpoint.exists())
        if resumed:
            load_checkpoint(checkpoint, self)
        else:
            self.seed()
            self._start()

    def _loop(self, checkpoint: Path, report: Callable[[int, Row], None]) -> None:
        total = self.settings["steps"]
        points = milestones(total)
        report_every = max(1, total // PROGRESS_POINTS)
        saved = time.monotonic()
        started = saved - self.progress.seconds
        resumed_at = self.progress.step
        while self.progress.step < total:
            before = self.progress.start_seconds
            self._before(self.progress.step)
            started += self.progress.start_seconds - before
            terms = self.step(self.progress.step)
            self.progress.step += 1
            self._after(self.progress.step)
            self.progress.seconds = time.monotonic() - started
            if self.progress.step in points:
                self._raise_if_bad()
                self.progress.history.append({**self._standing(), **self._measured(terms)})
            if self.progress.step % report_every == 0:
                report(self.progress.step, self.progress.history[-1])
            late = self.timeout is not None and self.progress.start_seconds + self.progress.seconds > self.timeout
            due = time.monotonic() - saved > CHECKPOINT_SECONDS
            late, due, stop = first_says(late, due, self.stop_requested)
            if late:
                raise OutOfTimeError(f"stopped after {self.timeout:g} s at step {self.progress.step:,} of {total:,}")
            if due or stop:
                self._save(checkpoint)
                saved = time.monotonic()
            if stop:
                raise Stopped
        if self.progress.step > resumed_at:
            self._save(checkpoint)  # the evaluation may be long, and whoever keeps checkpoints wants the end

    def seconds_a_step(self, warm_up: int, steps: int, first: int = 0) -> float:
        """Mean time of a step after ``warm_up`` others from ``first`` on; for estimates, of a training thrown away.

        Where the last of those others takes longer than ``SLOW_STEP`` seconds, its time is the answer.
        """
        taken = 0.0
        for step in range(first, first + warm_up):
            taken = self._seconds_of(range(step, step + 1))
        if taken > SLOW_STEP:
            return taken
        return self._seconds_of(range(first + warm_up, first + warm_up + steps)) / steps

    def _seconds_of(self, steps: range) -> float:
        wait_for(self.device)
        started = time.monotonic()
        for step in steps:
            self.step(step)
        wait_for(self.device)
        return time.monotonic() - started

    def _save(self, checkpoint: Path) -> None:
        """Save where the training stands; a full disk costs what a kill would cost later, not the run."""
        try:
            save_checkpoint(checkpoint, self)
        except UnwritableError as error:
            _LOG.warning("%s; the training goes on without it", error)

    def _standing(self) -> Row:
        rate = float(self.scheduler.get_last_lr()[0]) if self.scheduler else 0.0
        return {"step": self.progress.step, "seconds": round(self.progress.seconds, 3), "learning_rate": rate}

    def _descend(self, loss: Tensor) -> None:
        """One step of the optimizer and its schedule, the gradients those of all processes."""
        if self.optimizer is None or self.scheduler is None or not loss.requires_grad:
            return
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        average_gradients(parameters)
        align_gradients(parameters)
        if self.settings["clip_norm"] is not None:
            nn.utils.clip_grad_norm_(parameters, self.settings["clip_norm"])
        self.optimizer.step()
        self.scheduler.step()

    def _mark_bad(self, loss: Tensor, step: int) -> None:
        """Remember that ``loss`` of ``step``, which counts from 0, was not finite, where none before it was so."""
        bad = ~torch.isfinite(loss.detach()) & (self.bad_step < 0)
        self.bad_step = torch.where(bad, step + 1, self.bad_step)

    def _raise_if_bad(self) -> None:
        """On every process if the loss of one was not finite, at the first such step."""
        never = self.settings["steps"] + 1
        first = int(all_reduce_min(torch.where(self.bad_step < 0, never, self.bad_step)))
        if first < never:
            raise DivergedError(f"the loss was not finite at step {first:,}")


def milestones(steps: int) -> set[int]:
    """The steps after which a run of so many has a row in its history."""
    return {round(steps * point / HISTORY_POINTS) for point in range(1, HISTORY_POINTS + 1)} | {1}


def wait_for(device: torch.device) -> None:
    """Until a GPU has done what it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _ended_if_hung(timeout: float | None) -> Iterator[None]:
    """End the process, with a traceback of where it hangs, long after a time limit that no step came back to see."""
    if timeout is None:
        yield
        return
    faulthandler.dump_traceback_later(min(timeout, 1e7) + HUNG_SECONDS, exit=True, file=_STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
