"""What the metrics of a modality are: fed once with the whole test set, then asked for the numbers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from methods.parts.processes import all_reduce

Value = float | int | None


class ReconstructionMetrics:
    """How good reconstructions are, measured in one pass over the test set.

    Of several processes each feeds its own part, contiguous and in the order of ranks; `compute` sums over them
    (`methods.parts.processes`), must be called by all, and returns the same on all.
    """

    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch of the model's inputs and outputs, the test set in its own order."""
        raise NotImplementedError

    def compute(self) -> dict[str, Value]:
        """Every metric by the name that `catalogue` knows; None where it can't be had."""
        raise NotImplementedError

    def rates(self, codes: dict[str, Value]) -> dict[str, Value]:
        """What the metrics of the codes are worth in the modality's own terms; after `compute`."""
        return {}

    def details(self) -> dict[str, Any]:
        """What the numbers were measured with, and why one is None; after `compute`."""
        return {}

    def save_samples(self, originals: Tensor, reconstructions: Tensor, folder: Path) -> None:
        """A few originals and their reconstructions, to look at or to listen to, where there is something to see."""


class ItemMean(ReconstructionMetrics):
    """The mean of one number an item, under one name: the shortest way to a metric of one's own.

    Items whose number is not finite are left out of the mean and counted in ``<name>_undefined``.

    Args:
        name: of the metric.
        measure: from originals and reconstructions ``[B, ...]`` to numbers ``[B]``.
    """

    def __init__(self, name: str, measure: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> None:
        self._name = name
        self._measure = measure
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)  # of finite numbers, how many, how many others

    @torch.inference_mode()
    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch."""
        values = self._measure(originals, reconstructions).double()
        assert values.shape == originals.shape[:1], (values.shape, originals.shape)
        defined = values.isfinite()
        count = defined.sum()
        self._sums += torch.stack([values.nan_to_num(0, 0, 0).sum(), count, len(values) - count])

    def compute(self) -> dict[str, Value]:
        """The mean, and the number of items left out where there are any."""
        total, count, undefined = all_reduce(self._sums.clone()).tolist()
        mean = {self._name: total / count if count else None}
        return mean | ({f"{self._name}_undefined": int(undefined)} if undefined else {})


class Together(ReconstructionMetrics):
    """Several metrics fed as one; rates and samples are those of the first."""

    def __init__(self, parts: Sequence[ReconstructionMetrics]) -> None:
        self._parts = parts

    def update(self, originals: Tensor, reconstructions: Tensor) -> None:
        """Add a batch to each."""
        for part in self._parts:
            part.update(originals, reconstructions)

    def compute(self) -> dict[str, Value]:
        """The columns of all, which must differ in name."""
        measured: dict[str, Value] = {}
        for part in self._parts:
            own = part.compute()
            assert not own.keys() & measured.keys(), f"two metrics measure {own.keys() & measured.keys()}"
            measured |= own
        return measured

    def rates(self, codes: dict[str, Value]) -> dict[str, Value]:
        """Those of the first."""
        return self._parts[0].rates(codes)

    def details(self) -> dict[str, Any]:
        """Those of all."""
        return {name: detail for part in self._parts for name, detail in part.details().items()}

    def save_samples(self, originals: Tensor, reconstructions: Tensor, folder: Path) -> None:
        """Those of the first."""
        self._parts[0].save_samples(originals, reconstructions, folder)
