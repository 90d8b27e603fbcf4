"""Float vectors without an encoder: what the data sets of the modality `latents` share."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from benchmark.data.base import Dataset, Draw
from benchmark.machine import main_memory
from benchmark.seeds import derive_seed
from methods.core.usage import UsageError, check_count

TRAIN_ITEMS = 50_000
VALIDATION_ITEMS = 16_384
EVALUATION_BATCH = 8_192


class Vectors(Dataset):
    """fp32 items ``[N, D, *positions]``, taken as they are: nothing is scaled to [-1, 1]."""

    @cached_property
    def variance(self) -> float:
        """Variance of the training vectors about their mean, the mean over coordinates; 0 within rounding of it."""
        rows = self.train.double().movedim(1, -1).flatten(0, -2)
        variance, square = float(rows.var(0, correction=0).mean()), float(rows.square().mean())
        return variance if variance > 1e-12 * square else 0.0

    @staticmethod
    def to_input(items: Tensor) -> Tensor:
        """The items, in fp32."""
        return items.float()


def check_vectors(what: str, dim: int, test_items: int) -> None:
    """UsageError, beginning with ``what``, unless both are whole numbers and so many vectors fit into memory."""
    check_count(f"{what}: dim", dim)
    check_count(f"{what}: test_items", test_items)
    needed, there = 4 * dim * (TRAIN_ITEMS + VALIDATION_ITEMS + test_items), main_memory()
    if needed > there:
        raise UsageError(
            f"{what}: {test_items:,} test items of {dim:,} numbers and those of the other splits need "
            f"{needed / 1e9:,.0f} GB of memory, more than the {there / 1e9:,.0f} there are"
        )


def drawn(
    name: str,
    draw: Draw,
    *,
    first_step: int = 0,
    last_step: int = 0,
    train_items: int = TRAIN_ITEMS,
    test_items: int,
    **provenance: Any,
) -> Dataset:
    """A data set whose every training step draws anew.

    The sample for quantizers that start from data is of ``first_step``; validation and test are of ``last_step``,
    the same for every run.
    """

    def sample(split: str, count: int, step: int) -> Tensor:
        return draw(count, step, torch.Generator().manual_seed(derive_seed(name, split)))

    return Vectors(
        train=sample("train", train_items, first_step),
        validation=sample("validation", VALIDATION_ITEMS, last_step),
        test=sample("test", test_items, last_step),
        provenance={"source": f"drawn by `{name}`, fresh ones every step", **provenance},
        modality="latents",
        fresh=draw,
        evaluation_batch=EVALUATION_BATCH,
        probe_items=VALIDATION_ITEMS,
    )
