"""A trained tokenizer as its run kept it, and the joint codes that it gives to images, and images to joint codes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.priors.joint_codes import JointCodes
from benchmark.training.batches import DeviceSplit
from benchmark.training.starting import load_weights
from benchmark.training.system import System, build_system


class Tokenizer:
    """Encoder, quantizer and decoder in eval mode.

    ``joint``: of its levels. ``positions``: shape of the grid of codes of an item. ``dataset``: what it was trained on.

    Args:
        native: the digits of its joint codes for a prior that has a softmax for each; None for one softmax.
    """

    def __init__(
        self, system: System, dataset: Dataset, device: torch.device, native: Sequence[int] | None = None
    ) -> None:
        self.system = system.eval()
        self.dataset, self.device = dataset, device
        self.joint = JointCodes(self.system.quantizer.level_sizes, native)
        self.positions = tuple(self._codes(self._inputs(dataset.validation[:1])).shape[1:])

    @classmethod
    def of_run(
        cls, config: dict[str, Any], weights: Path | None, dataset: Dataset, device: torch.device, *, native: bool
    ) -> "Tokenizer":
        """That of the run of ``config``, which kept its ``weights``; None for one that is not trained yet.

        ``native``: for a prior that has a softmax for each digit of a code.

        Raises:
            UsageError: they can't be read, or are of another model.
        """
        system = build_system(config, dataset, device)
        if weights is not None:
            load_weights(weights, system)
        quantizer = type(system.quantizer)
        digits = quantizer.resolve_digits(config["codebook_size"], **config["params"]) if native else None
        return cls(system, dataset, device, digits)

    def encode(self, items: Tensor) -> Tensor:
        """Joint codes int64 ``[N, P]`` of raw ``items``, positions in raster order."""
        split = DeviceSplit(items, self.dataset.to_input, self.device)
        found = [self._codes(batch).flatten(1) for batch in split.batches(self.dataset.evaluation_batch)]
        return torch.cat(found)

    @torch.no_grad()
    def decode(self, index: Tensor) -> Iterator[Tensor]:
        """Images of joint codes ``[N, P]`` in [-1, 1] but for what the decoder overshoots, a batch at a time."""
        for batch in index.split(self.dataset.evaluation_batch):
            codes = self.joint.codes(batch.reshape(-1, *self.positions))
            with self.system.quantizer.unchanging():
                yield self.system.decode(self.system.quantizer.decode(codes))

    def _inputs(self, items: Tensor) -> Tensor:
        return self.dataset.to_input(items.to(self.device))

    @torch.no_grad()
    def _codes(self, inputs: Tensor) -> Tensor:
        with self.system.quantizer.unchanging():
            return self.joint.index(self.system.codes(inputs))
