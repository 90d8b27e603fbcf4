"""Usage, perplexity and error during training, on a fixed part of the validation set."""

import torch

from benchmark.data import Dataset
from benchmark.objectives import Objective
from benchmark.training.batches import DeviceSplit
from benchmark.training.system import System
from methods.parts.processes import alone

FEWEST = 64
SHARE = 160
"""Items trained on for one that is probed. Seen 25 times without a backward pass it costs some 5 % of the training."""
BATCH = 256


def probe_items(items_trained: int, most: int) -> int:
    """Items probed: at most ``most``, and so few that the curves of a short training don't cost more than it."""
    return min(most, max(FEWEST, items_trained // SHARE))


class Probe:
    """The first ``items`` of the validation set, seen in eval mode."""

    def __init__(self, dataset: Dataset, objective: Objective, device: torch.device, items: int) -> None:
        self._batch = max(BATCH, dataset.evaluation_batch)
        self._items = DeviceSplit(dataset.validation[:items], dataset.to_input, device)
        self._objective = objective

    def __len__(self) -> int:
        """Number of items."""
        return len(self._items)

    @torch.no_grad()
    def measure(self, system: System) -> dict[str, float]:
        """``validation_error`` an element; ``usage`` (of bounded ones) and ``perplexity`` of the joint codes, if any.

        With few items they are lower than on the test set; compare them over time, not with the tables.
        """
        system.eval()
        errors, codes, elements = [], [], 0
        with alone():  # all of it on every process: little to do, and the same numbers as in a run of one
            for items in self._items.batches(self._batch):
                elements += items.numel()
                output, _, quantized = system(items)
                errors.append(self._objective.errors(output, items))
                if quantized.codes is not None:
                    codes.append(quantized.codes.flatten(0, -2))
        row = {"validation_error": float(torch.cat(errors).sum()) / elements}
        if codes:
            _, counts = torch.cat(codes).unique(dim=0, return_counts=True)
            shares = counts.double() / counts.sum()
            if system.quantizer.bounded:
                row["usage"] = len(counts) / system.quantizer.codebook_size
            row["perplexity"] = float(torch.exp(-(shares * shares.log()).sum()))
        return row
