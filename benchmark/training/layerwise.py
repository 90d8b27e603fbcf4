"""Training of a stack layer after layer, from the lowest up, each for its share of the steps."""

from typing import Any

import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.training.layers import Above, Lowest, layers_of
from benchmark.training.loop import Row
from benchmark.training.optimization import build_optimizer
from benchmark.training.system import System
from benchmark.training.trainer import Trainer
from methods.core.usage import UsageError


def trainer_of(config: dict[str, Any], dataset: Dataset, device: torch.device, timeout: float | None = None) -> Trainer:
    """The trainer that the run wants."""
    made = LayerwiseTrainer if config["training"].get("layerwise") else Trainer
    return made(config, dataset, device, timeout)


class LayerwiseTrainer(Trainer):
    """Trains one layer at a time to give back, by squared error a value, what it sees of the layers below it.

    Those below stay as they are. Each layer is a training of its own, as the authors of HQA have it (Williams et al.,
    arXiv 2002.08111): optimiser, schedule of the rate and what the quantizer anneals begin anew. What is evaluated is
    the highest layer begun so far with all below it, in the terms of the data.

    ``layer``: in training, from 0. ``model``: that layer on all below it.
    """

    model: Lowest | Above

    def __init__(
        self, config: dict[str, Any], dataset: Dataset, device: torch.device, timeout: float | None = None
    ) -> None:
        super().__init__(config, dataset, device, timeout)
        self.layers = layers_of(self.whole.model, self.whole.quantizer)
        total, count = self.settings["steps"], len(self.layers)
        if total < count:
            raise UsageError(f"training: {count} layers, one after another, need as many steps, not {total:,}")
        self.firsts = [round(total * layer / count) for layer in range(count + 1)]
        self._enter(0)

    def _enter(self, layer: int) -> None:
        """Begin with ``layer``: its system alone, and an optimiser for that."""
        self.layer = layer
        self.model, quantizer = self.layers[layer]
        self.system = self.whole.sharing(self.model.layer, quantizer)
        self.passes = self._passes()
        self._trained = self.whole.sharing(self.model, quantizer).eval()  # the layers below stay so
        settings = {**self.settings, "steps": self.layer_steps}
        self.optimizer, self.scheduler = build_optimizer(settings, self.system.model, quantizer)

    @property
    def layer_steps(self) -> int:
        """Steps of the layer in training."""
        return self.firsts[self.layer + 1] - self.firsts[self.layer]

    @property
    def trained(self) -> System:
        """The layer in training and all below it."""
        return self._trained

    def state_dict(self) -> dict[str, Any]:
        """As that of any training, with the layer."""
        return {**super().state_dict(), "layer": self.layer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._enter(state["layer"])
        super().load_state_dict(state)

    def _before(self, step: int) -> None:
        if step in self.firsts[1:-1]:
            self._enter(self.firsts.index(step))
            self._start_quantizer()

    def _enter_phase(self, step: int) -> None:
        self.system.quantizer.anneal(step - self.firsts[self.layer], self.layer_steps)

    def _seen(self, items: Tensor) -> Tensor:
        return self.model.inputs(items, learn=True)

    def _errors(self, output: Tensor, items: Tensor) -> Tensor:
        return (output - items).square().flatten(1).sum(1)

    def _standing(self) -> Row:
        return {**super()._standing(), "layer": self.layer + 1}

    def seconds_a_step(self, warm_up: int, steps: int, first: int = 0) -> float:
        """Mean over the layers."""
        seconds = 0.0
        for layer in range(len(self.layers)):
            self._enter(layer)
            seconds += super().seconds_a_step(warm_up, steps, self.firsts[layer]) / len(self.layers)
        return seconds
