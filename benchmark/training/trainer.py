"""Training of one tokenizer: what a step of it is, and its history."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.processes import average_terms, one_says, weight
from benchmark.records.settings import Training
from benchmark.seeds import derive_seed, seed_torch
from benchmark.training.averaging import averaged
from benchmark.training.batches import Batches, DeviceSplit
from benchmark.training.codebook_features import cached_features
from benchmark.training.loop import Loop, Row
from benchmark.training.optimization import build_optimizer
from benchmark.training.passes import Passes
from benchmark.training.plateau import PlateauLR
from benchmark.training.probe import Probe, probe_items
from benchmark.training.snapshots import Snapshots
from benchmark.training.stopwatch import QuantizerStopwatch
from benchmark.training.system import System, build_objective, build_system
from methods.core.base import HISTORY
from methods.core.usage import UsageError
from methods.parts.processes import alone, own_rows, rank


class Trainer(Loop):
    """Trains the system of one run on one device, or on one a process, each with its share of every batch.

    ``whole``: all that is trained in the run; ``system``: what is in training.
    """

    def __init__(
        self, config: dict[str, Any], dataset: Dataset, device: torch.device, timeout: float | None = None
    ) -> None:
        training = Training.model_validate(config["training"])
        super().__init__(config, training.model_dump(), device, timeout)
        self.continuous_steps = training.continuous_steps
        self.dataset = dataset
        self.whole = self.system = build_system(config, dataset, device)
        self.objective = build_objective(config, dataset, device)
        self.objective.watch(self.system.model.last_layer)
        self.train = DeviceSplit(dataset.train, dataset.to_input, device)
        self.batches = self._batches("batches")
        probed = probe_items(self.settings["steps"] * self.settings["batch_size"], dataset.probe_items)
        self.snapshots = Snapshots(dataset, self.system.quantizer, self.settings["steps"])
        self.probe = Probe(dataset, self.objective, device, probed)
        self.validation = self._validation(dataset) if training.schedule == "plateau" else None
        self.optimizer, self.scheduler = build_optimizer(self.settings, self.system.model, self.system.quantizer)
        decay = self.settings["ema_decay"]
        self.average = averaged(self.system, decay) if decay else None
        self.stopwatch = QuantizerStopwatch(device)
        self.passes = self._passes()

    @property
    def trained(self) -> System:
        """What is evaluated: the averaged weights where there are any."""
        if self.average is None:
            return self.system
        assert isinstance(self.average.module, System)
        return self.average.module

    def state_dict(self) -> dict[str, Any]:
        """Everything the rest of the training depends on but random states."""
        return {**super().state_dict(), "stopwatch": self.stopwatch.totals()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        super().load_state_dict(state)
        self.stopwatch.restore(state["stopwatch"])

    def _parts(self) -> dict[str, Any]:
        parts = {
            "system": self.whole,
            "objective": self.objective,
            "average": self.average,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "snapshots": self.snapshots if self.snapshots.wanted else None,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def seed(self) -> None:
        """Start the random numbers of the training: a process's own, but for the first those of a run of one."""
        own = (rank(),) if rank() else ()
        seed_torch(derive_seed("training", self.config["method"], self.config["seed"], *own))

    def _start(self) -> None:
        if not self.continuous_steps:
            self._start_quantizer()
        self.snapshots.take(0)

    def _before(self, step: int) -> None:
        if 0 < self.continuous_steps == step:
            self._start_quantizer()

    def _after(self, step: int) -> None:
        self.snapshots.take(step)
        if self.validation is not None and step % self.settings["plateau_steps"] == 0:
            error = one_says(self.validation.measure(self.trained)["validation_error"])
            if isinstance(self.scheduler, PlateauLR):
                self.scheduler.saw(error)

    def _validation(self, dataset: Dataset) -> Probe:
        """All of the validation set, on which plateaus are looked for."""
        if not len(dataset.validation):
            raise UsageError("training: schedule plateau needs validation items, and the data set has none")
        return Probe(dataset, self.objective, self.device, len(dataset.validation))

    def _start_quantizer(self) -> None:
        """Let the quantizer start from the encoder's latents as they now are; an average of weights begins anew."""
        begun = time.monotonic()
        with alone():
            self.system.quantizer.use_pretrained(partial(cached_features, self.dataset, device=self.device))
        self.system.quantizer.initialise(self._latents())
        if self.average is not None:
            self.average.n_averaged.zero_()
        self.progress.start_seconds += time.monotonic() - begun

    def step(self, step: int) -> dict[str, Tensor]:
        """Train on the batch of ``step``, which counts from 0; the terms of its loss, and the quantizer's log."""
        self.stopwatch.begin(step)
        self.passes.begin()
        self.system.train()
        self._enter_phase(step)
        items = self._seen(self._items(step))
        frozen = self.settings["freeze_encoder"] and not self.system.continuous
        with torch.set_grad_enabled(not frozen):
            latents = self.passes.encode(items)
        latents = self.stopwatch.enter(latents)
        quantized = self.passes.quantize(latents)
        self.stopwatch.leave(quantized.latents)
        output = self.passes.decode(quantized.latents)
        reconstruction = self.system.reconstruction_loss(self._errors(output, items), items[0].numel())
        extra = self.objective.extra(output, items)
        loss = reconstruction + quantized.loss + sum(extra.values())
        self._descend(loss * weight(len(items), self.settings["batch_size"]))
        if not self.system.continuous:
            self.system.quantizer.after_step()
        learned = self.objective.learn(output.detach(), items)
        if self.average is not None:
            self.average.update_parameters(self.system)
        self._mark_bad(loss, step)
        self.stopwatch.end()
        terms = {"loss": loss, "reconstruction": reconstruction, "quantizer": quantized.loss}
        for name, value in (*extra.items(), *quantized.log.items(), *learned.items()):
            if name in terms or name in HISTORY:
                raise UsageError(
                    f"the history has a column `{name}`; choose another name in the log of method or objective"
                )
            terms[name] = value
        return {name: value.detach() for name, value in terms.items()}

    def seconds_a_step(self, warm_up: int, steps: int, first: int = 0) -> float:
        """As of any loop; what is compiled is so in further steps before."""
        return super().seconds_a_step(warm_up + 2 * self.settings["compile"], steps, first)

    def _passes(self) -> Passes:
        """Through the system in training."""
        return Passes(self.system, self.settings["compile"], self.device)

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

    def _seen(self, items: Tensor) -> Tensor:
        """What the system in training sees of inputs of the model."""
        return items

    def _errors(self, output: Tensor, items: Tensor) -> Tensor:
        """Errors ``[B]`` of what the system in training makes of ``items``."""
        return self.objective.errors(output, items)

    def _batches(self, purpose: str) -> Batches:
        return Batches(len(self.train), self.settings["batch_size"], derive_seed(purpose, self.config["seed"]))

    @torch.no_grad()
    def _latents(self) -> Iterator[Tensor]:
        """One epoch of latents of the encoder as it is, for quantizers that start from data."""
        batches = self._batches("initialise")
        for step in range(-(-len(self.train) // self.settings["batch_size"])):
            yield self.system.encode(self._seen(self.train.batch(own_rows(batches.indices(step))))).clone()

    def _measured(self, terms: dict[str, Tensor]) -> Row:
        own = len(own_rows(torch.empty(self.settings["batch_size"])))
        return {**average_terms(terms, own), **self.probe.measure(self.trained)}
