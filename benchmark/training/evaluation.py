"""Evaluation of one run: a single pass over the test set feeds every metric."""

from pathlib import Path
from typing import Any

import torch

from benchmark.data import Dataset
from benchmark.metrics.base import ReconstructionMetrics, Together
from benchmark.metrics.codes import (
    CodeStatistics,
    QuantizationError,
    UnmappedStatistics,
    by_level,
    effective_ranks,
)
from benchmark.metrics.parts.extra import create_metrics
from benchmark.metrics.parts.grouped import OverPhotographs
from benchmark.objectives import Objective
from benchmark.processes import is_first
from benchmark.records.files import write_arrays
from benchmark.training.batches import DeviceSplit
from benchmark.training.system import System
from methods import Quantizer
from methods.parts.processes import all_reduce, alone, own_rows

SAMPLES = 8


@torch.no_grad()
def evaluate(
    system: System,
    objective: Objective,
    dataset: Dataset,
    quality: ReconstructionMetrics,
    device: torch.device,
    folder: Path,
    *,
    unmapped: bool = False,
    training_codes: bool = False,
    distinct_codes: bool = False,
) -> dict[str, Any]:
    """``metrics`` and ``details`` of the record; writes ``counts.npz`` and the samples into ``folder``.

    ``quality`` are the modality's metrics, fresh from `quality_metrics`. Of several processes each passes its share
    of the items on; what they count is summed, all return the same, and the first one writes.

    ``unmapped`` also measures the codewords before a method's map, where it has one; ``training_codes`` also counts
    the codes of the whole training set, into ``counts_train.npz``; ``distinct_codes`` also says how many differ.

    All other metrics are of the test set but ``validation_error``, the objective's error an element on the
    whole validation set, by which tuning chooses.
    """
    system.eval()
    quantizer = system.quantizer
    with quantizer.unchanging():
        raw = quantizer.unmapped_codewords() if unmapped else None
        before = UnmappedStatistics(raw) if raw is not None else None
        codes = _statistics(quantizer, device, distinct_codes)
        error = QuantizationError(device)
        own, writes = own_rows(dataset.test), is_first()
        with alone():  # processes may have more or fewer batches than others
            for originals in DeviceSplit(own, dataset.to_input, device).batches(dataset.evaluation_batch):
                reconstructions, latents, quantized = system(originals)
                if quantized.codes is not None:
                    codes.update(quantized.codes)
                error.update(latents, quantized.latents)
                if before is not None:
                    before.update(latents)
                quality.update(originals, reconstructions)
            if writes:
                _save_samples(system, dataset, quality, device, folder)
        measured = {
            **codes.compute(),
            "quantization_error": error.compute(),
            **effective_ranks(quantizer.codewords(), codes.counts),
            **quality.compute(),
        }
        measured |= before.compute() if before is not None else {}
        measured |= quality.rates(measured)
        measured["validation_error"] = _validation_error(system, objective, dataset, device)
        _save_counts(codes, folder / "counts.npz")
        if training_codes and quantizer.has_codes:
            seen = _statistics(quantizer, device, distinct_codes)
            _count_training(seen, system, dataset, device)
            measured |= seen.compute_training()
            _save_counts(seen, folder / "counts_train.npz")
        return {"metrics": measured, "details": quality.details()}


def _save_counts(codes: CodeStatistics, path: Path) -> None:
    counts = by_level(codes.counts)  # summed by all
    if counts and is_first():
        write_arrays(path, counts)


def _statistics(quantizer: Quantizer, device: torch.device, distinct: bool) -> CodeStatistics:
    sizes = quantizer.level_sizes if quantizer.has_codes else ()
    return CodeStatistics(sizes, device, bounded=quantizer.bounded, distinct=distinct)


def _count_training(codes: CodeStatistics, system: System, dataset: Dataset, device: torch.device) -> None:
    """Into ``codes`` those of all training items, several times the test items: no decoder, no other metric."""
    with alone():
        own = DeviceSplit(own_rows(dataset.train), dataset.to_input, device)
        for items in own.batches(dataset.evaluation_batch):
            codes.update(system.codes(items))


def _validation_error(system: System, objective: Objective, dataset: Dataset, device: torch.device) -> float:
    errors = torch.zeros((), dtype=torch.float64, device=device)
    own = own_rows(dataset.validation)
    with alone():
        for items in DeviceSplit(own, dataset.to_input, device).batches(dataset.evaluation_batch):
            errors += objective.errors(system(items).output, items).double().sum()
    return float(all_reduce(errors)) / dataset.validation.numel()


def quality_metrics(dataset: Dataset, options: dict[str, Any], device: torch.device) -> ReconstructionMetrics:
    """The metrics of the modality and extra ones, made before training so that missing weights cost no run."""
    measured = create_metrics(
        dataset.modality,
        options,
        item_shape=dataset.item_shape,
        device=device,
        originals_key=dataset.test_sha256,
        sample_rate=dataset.sample_rate,
    )
    groups = dataset.test_groups
    if groups is None:
        return measured
    return Together([measured, OverPhotographs(own_rows(groups), int(groups.max()) + 1, device)])


def _save_samples(
    system: System, dataset: Dataset, quality: ReconstructionMetrics, device: torch.device, folder: Path
) -> None:
    """The items that the data set names; else a few from all over the test set, whose neighbours are often alike."""
    spread = (torch.arange(SAMPLES) * len(dataset.test) // SAMPLES).unique()
    items = spread if dataset.shown is None else torch.tensor(dataset.shown)
    originals = DeviceSplit(dataset.test, dataset.to_input, device).batch(items)
    quality.save_samples(originals, system(originals).output, folder)
