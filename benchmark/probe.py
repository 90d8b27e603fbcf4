"""Usage, perplexity and error during training, on a fixed part of the validation set."""

import torch

from benchmark.data import Dataset
from benchmark.data.batches import DeviceSplit
from benchmark.objectives import Objective
from benchmark.system import System

PROBE_ITEMS = 512
BATCH = 256


class Probe:
    """The first 512 items of the validation set, seen in eval mode."""

    def __init__(self, dataset: Dataset, objective: Objective, device: torch.device) -> None:
        self._items = DeviceSplit(dataset.validation[:PROBE_ITEMS], dataset.to_input, device)
        self._objective = objective

    @torch.no_grad()
    def measure(self, system: System) -> dict[str, float]:
        """``validation_error`` an element; ``usage`` and ``perplexity`` of the joint codes, if there are any.

        With few items they are lower than on the test set; compare them over time, not with the tables.
        """
        system.eval()
        errors, codes, elements = [], [], 0
        for items in self._items.batches(BATCH):
            elements += items.numel()
            output, _, quantized = system(items)
            errors.append(self._objective.errors(output, items))
            if quantized.codes is not None:
                codes.append(quantized.codes.flatten(0, -2))
        row = {"validation_error": float(torch.cat(errors).sum()) / elements}
        if codes:
            _, counts = torch.cat(codes).unique(dim=0, return_counts=True)
            shares = counts.double() / counts.sum()
            row["usage"] = len(counts) / system.quantizer.codebook_size
            row["perplexity"] = float(torch.exp(-(shares * shares.log()).sum()))
        return row
