"""Training of one run: the loop every arm goes through, and its history."""

import faulthandler
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.data import Dataset
from benchmark.processes import average_gradients, average_terms, first_says, weight
from benchmark.records.files import UnwritableError
from benchmark.records.run import run_key
from benchmark.records.settings import Training
from benchmark.seeds import derive_seed
from benchmark.training.averaging import averaged
from benchmark.training.batches import Batches, DeviceSplit
from benchmark.training.checkpoint import load_checkpoint, save_checkpoint
from benchmark.training.codebook_features import cached_features
from benchmark.training.optimization import align_gradients, build_optimizer, restore
from benchmark.training.probe import Probe, probe_items
from benchmark.training.snapshots import Snapshots
from benchmark.training.stopwatch import QuantizerStopwatch
from benchmark.training.system import System, build_objective, build_system
from methods.core.base import HISTORY
from methods.core.usage import UsageError
from methods.parts.processes import all_reduce_min, alone, own_rows, rank

HISTORY_POINTS = 25
PROGRESS_POINTS = 200
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


class Trainer:
    """Trains the system of one run on one device, or on one a process, each with its share of every batch."""

    def __init__(
        self, config: dict[str, Any], dataset: Dataset, device: torch.device, timeout: float | None = None
    ) -> None:
        self.config = config
        training = Training.model_validate(config["training"])
        self.settings = training.model_dump()
        self.continuous_steps = training.continuous_steps
        self.dataset = dataset
        self.device = device
        self.timeout = timeout
        self.system = build_system(config, dataset, device)
        self.objective = build_objective(config, dataset, device)
        self.objective.watch(self.system.model.last_layer)
        self.train = DeviceSplit(dataset.train, dataset.to_input, device)
        self.batches = self._batches("batches")
        probed = probe_items(self.settings["steps"] * self.settings["batch_size"], dataset.probe_items)
        self.snapshots = Snapshots(dataset, self.system.quantizer, self.settings["steps"])
        self.probe = Probe(dataset, self.objective, device, probed)
        self.optimizer, self.scheduler = build_optimizer(self.settings, self.system.model, self.system.quantizer)
        decay = self.settings["ema_decay"]
        self.average = averaged(self.system, decay) if decay else None
        self.progress = Progress()
        self.stopwatch = QuantizerStopwatch(device)
        self.bad_step = torch.full((), -1, device=device, dtype=torch.int64)
        self.stop_requested = False

    @property
    def trained(self) -> System:
        """What is evaluated: the averaged weights where there are any."""
        if self.average is None:
            return self.system
        assert isinstance(self.average.module, System)
        return self.average.module

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
            "stopwatch": self.stopwatch.totals(),
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
        self.stopwatch.restore(state["stopwatch"])

    def _parts(self) -> dict[str, Any]:
        parts = {
            "system": self.system,
            "objective": self.objective,
            "average": self.average,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "snapshots": self.snapshots if self.snapshots.wanted else None,
        }
        return {name: part for name, part in parts.items() if part is not None}

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

    def seed(self) -> None:
        """Start the random numbers of the training: a process's own, but for the first those of a run of one."""
        own = (rank(),) if rank() else ()
        torch.manual_seed(derive_seed("training", self.config["method"], self.config["seed"], *own))

    def _begin(self, checkpoint: Path) -> None:
        (resumed,) = first_says(checkpoint.exists())
        if resumed:
            load_checkpoint(checkpoint, self)
        else:
            self.seed()
            if not self.continuous_steps:
                self._start_quantizer()
            self.snapshots.take(0)

    def _start_quantizer(self) -> None:
        """Let the quantizer start from the encoder's latents as they now are; an average of weights begins anew."""
        begun = time.monotonic()
        with alone():
            self.system.quantizer.use_pretrained(partial(cached_features, self.dataset, device=self.device))
        self.system.quantizer.initialise(self._latents())
        if self.average is not None:
            self.average.n_averaged.zero_()
        self.progress.start_seconds += time.monotonic() - begun

    def _loop(self, checkpoint: Path, report: Callable[[int, Row], None]) -> None:
        total = self.settings["steps"]
        points = milestones(total)
        report_every = max(1, total // PROGRESS_POINTS)
        saved = time.monotonic()
        started = saved - self.progress.seconds
        resumed_at = self.progress.step
        while self.progress.step < total:
            if 0 < self.continuous_steps == self.progress.step:
                before = self.progress.start_seconds
                self._start_quantizer()
                started += self.progress.start_seconds - before
            terms = self.step(self.progress.step)
            self.progress.step += 1
            self.snapshots.take(self.progress.step)
            self.progress.seconds = time.monotonic() - started
            if self.progress.step in points:
                self._raise_if_bad()
                self.progress.history.append(self._history_row(terms))
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

    def _save(self, checkpoint: Path) -> None:
        """Save where the training stands; a full disk costs what a kill would cost later, not the run."""
        try:
            save_checkpoint(checkpoint, self)
        except UnwritableError as error:
            _LOG.warning("%s; the training goes on without it", error)

    def seconds_a_step(self, warm_up: int, steps: int) -> float:
        """Mean time of a step after ``warm_up`` others; for estimates, on a trainer thrown away afterwards."""
        started = time.monotonic()
        for step in range(warm_up + steps):
            if step == warm_up:
                self.stopwatch.totals()
                started = time.monotonic()
            self.step(step)
        self.stopwatch.totals()
        return (time.monotonic() - started) / steps

    def step(self, step: int) -> dict[str, Tensor]:
        """Train on the batch of ``step``, which counts from 0; the terms of its loss, and the quantizer's log."""
        self.stopwatch.begin(step)
        self.system.train()
        self._enter_phase(step)
        items = self._items(step)
        frozen = self.settings["freeze_encoder"] and not self.system.continuous
        with torch.set_grad_enabled(not frozen):
            latents = self.system.encode(items)
        latents = self.stopwatch.enter(latents)
        quantized = self.system.quantize(latents)
        self.stopwatch.leave(quantized.latents)
        output = self.system.decode(quantized.latents)
        reconstruction = self.system.reconstruction_loss(self.objective.errors(output, items), items[0].numel())
        extra = self.objective.extra(output, items)
        loss = reconstruction + quantized.loss + sum(extra.values())
        self._descend(loss * weight(len(items), self.settings["batch_size"]))
        if not self.system.continuous:
            self.system.quantizer.after_step()
        learned = self.objective.learn(output.detach(), items)
        if self.average is not None:
            self.average.update_parameters(self.system)
        # Kept on the device: to read it here would make every step wait for a GPU.
        bad = ~torch.isfinite(loss.detach()) & (self.bad_step < 0)
        self.bad_step = torch.where(bad, step + 1, self.bad_step)
        self.stopwatch.end()
        terms = {"loss": loss, "reconstruction": reconstruction, "quantizer": quantized.loss}
        for name, value in (*extra.items(), *quantized.log.items(), *learned.items()):
            if name in terms or name in HISTORY:
                raise UsageError(
                    f"the history has a column `{name}`; choose another name in the log of method or objective"
                )
            terms[name] = value
        return {name: value.detach() for name, value in terms.items()}

    def _enter_phase(self, step: int) -> None:
        """Whether ``step`` is quantized, and the schedules of quantizer and objective; a quantizer's run is its own."""
        total = self.settings["steps"]
        self.system.continuous = self.trained.continuous = step < self.continuous_steps
        if not self.system.continuous:
            self.system.quantizer.anneal(step - self.continuous_steps, total - self.continuous_steps)
        self.objective.anneal(step, total)

    def _items(self, step: int) -> Tensor:
        """Inputs of one step, the same for every arm: rows of the training set, or fresh ones where it has none.

        Of several processes each gets its share.
        """
        if self.dataset.fresh is None:
            return self.train.batch(own_rows(self.batches.indices(step)))
        generator = torch.Generator().manual_seed(derive_seed("fresh", self.config["seed"], step))
        return self.train.inputs(own_rows(self.dataset.fresh(self.settings["batch_size"], step, generator)))

    def _descend(self, loss: Tensor) -> None:
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

    def _batches(self, purpose: str) -> Batches:
        return Batches(len(self.train), self.settings["batch_size"], derive_seed(purpose, self.config["seed"]))

    @torch.no_grad()
    def _latents(self) -> Iterator[Tensor]:
        """One epoch of latents of the encoder as it is, for quantizers that start from data."""
        batches = self._batches("initialise")
        for step in range(-(-len(self.train) // self.settings["batch_size"])):
            yield self.system.encode(self.train.batch(own_rows(batches.indices(step)))).clone()

    def _raise_if_bad(self) -> None:
        """On every process if the loss of one was not finite, at the first such step."""
        never = self.settings["steps"] + 1
        first = int(all_reduce_min(torch.where(self.bad_step < 0, never, self.bad_step)))
        if first < never:
            raise DivergedError(f"the loss was not finite at step {first:,}")

    def _history_row(self, terms: dict[str, Tensor]) -> Row:
        lr = float(self.scheduler.get_last_lr()[0]) if self.scheduler else 0.0
        row: Row = {"step": self.progress.step, "seconds": round(self.progress.seconds, 3), "learning_rate": lr}
        own = len(own_rows(torch.empty(self.settings["batch_size"])))
        return {**row, **average_terms(terms, own), **self.probe.measure(self.trained)}


def milestones(steps: int) -> set[int]:
    """The steps after which a run of so many has a row in its history."""
    return {round(steps * point / HISTORY_POINTS) for point in range(1, HISTORY_POINTS + 1)} | {1}


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
