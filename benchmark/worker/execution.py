"""A run from data to metrics in this process, alone or as one of the processes that share it."""

import math
import os
import time
import traceback
from pathlib import Path
from typing import Any

import torch

from benchmark.data import Dataset, datasets
from benchmark.machine import PeakMemory, provenance
from benchmark.metrics import OF_CODES
from benchmark.processes import is_first
from benchmark.records.files import checksum
from benchmark.records.kept import Shorter, kept_weights, longest_shorter
from benchmark.records.plain import one_line
from benchmark.records.run import WEIGHTS, tokenizer_of
from benchmark.training.checkpoint import save_weights
from benchmark.training.evaluation import evaluate, quality_metrics
from benchmark.training.layerwise import trainer_of
from benchmark.training.loop import DivergedError, OutOfTimeError, Stopped
from benchmark.training.starting import go_on_from, is_a_beginning, load_weights
from benchmark.training.trainer import Trainer
from benchmark.worker.changed import ChangedError, check_content
from benchmark.worker.fitting import fit
from benchmark.worker.job import Job
from benchmark.worker.released import Ready, read_released
from benchmark.worker.verdict import has_no_room, is_out_of_memory, is_unwritable, sound
from methods.core.plugins import check_sources, load_plugins
from methods.core.usage import UsageError, in_words, message_of


class CrowdedError(RuntimeError):
    """A GPU had no room for a run beside others."""


def execute(job: Job, folder: Path, device: torch.device) -> dict[str, Any]:
    """Status and all that was measured; an exception becomes a status with its traceback.

    Raises:
        UnwritableError: the results can't be written, which is not the run's fault.
        ChangedError: a plug-in or the data were changed since the run was planned, which is not its fault either.
        Stopped: the run was asked to stop; its checkpoint says where it stands.
        CrowdedError: a GPU that it shares with other runs had no room for it.
    """
    started = time.monotonic()
    torch.set_num_threads(job.threads)
    if job.run.deterministic:
        _repeat_exactly()
    try:
        load_plugins(job.plugins)
        check_sources(tokenizer_of(job.run.config).get("plugins", {}))
    except UsageError as error:  # the command that planned the run has loaded them
        raise ChangedError(str(error)) from error
    try:
        outcome = _outcome(job, folder, device)
    except (Stopped, ChangedError):
        raise
    except BaseException as error:  # also sys.exit of a method, which has no say in what follows
        if is_unwritable(error, folder):
            raise
        if job.beside > job.run.devices == 1 and device.type == "cuda" and has_no_room(error):
            raise CrowdedError from error
        status, reason = classify(error)
        outcome = {"status": status, "reason": one_line(reason), "traceback": sound(traceback.format_exc())}
    timings = outcome.pop("timings", {})
    timings["total_seconds"] = timings.get("total_seconds", 0.0) + time.monotonic() - started
    return {**outcome, "timings": timings, "provenance": {**provenance(device), **outcome.get("provenance", {})}}


def classify(error: BaseException) -> tuple[str, str]:
    """Status and reason of a run that raised ``error``."""
    if isinstance(error, DivergedError):
        return "diverged", str(error)
    if isinstance(error, OutOfTimeError):
        return "timeout", str(error)
    if is_out_of_memory(error):
        return "out_of_memory", next(iter(message_of(error).splitlines()), "") or "out of memory"
    return "failed", in_words(error)


def _outcome(job: Job, folder: Path, device: torch.device) -> dict[str, Any]:
    if job.run.tokenizer is None:
        return _train_and_evaluate(job, folder, device)
    # With what samples are measured by, which tokenizers needn't wait for.
    from benchmark.worker.prior import train_prior

    return train_prior(job, folder, device)


def _train_and_evaluate(job: Job, folder: Path, device: torch.device) -> dict[str, Any]:
    config = job.run.config
    dataset = datasets.create(config["dataset"]["name"], job.run.dataset_options)
    check_content(dataset, config["dataset"])
    quality = quality_metrics(dataset, config["evaluation"], device)
    peak = PeakMemory(device)
    trains = job.run.pretrained is None
    ready = _trained(job, dataset, device, folder) if trains else read_released(job.run, dataset, device)
    started = time.monotonic()
    of_codes = {name: config["evaluation"].get(name, usual) for name, usual in OF_CODES.items()}
    evaluation = evaluate(ready.system, ready.objective, dataset, quality, device, folder, **of_codes)
    if not math.isfinite(evaluation["metrics"]["validation_error"]):  # no loss was computed after the last update
        raise DivergedError(f"the validation error was not finite after step {ready.step:,}")
    if job.run.keep and is_first():
        save_weights(folder / WEIGHTS, ready.system)
    return {
        "status": "ok",
        **evaluation,
        "level_sizes": list(ready.system.quantizer.level_sizes),
        "timings": {**ready.timings, "evaluate_seconds": time.monotonic() - started},
        "memory": peak.read(),
        "provenance": {"data": {**dataset.provenance, "test_sha256": dataset.test_sha256}, **ready.provenance},
    }


def _trained(job: Job, dataset: Dataset, device: torch.device, folder: Path) -> Ready:
    """The system after its training, whose curves are written."""
    shorter = longest_shorter(Path(job.others), job.run.config) if job.others else None

    def begin(trainer: Trainer, checkpoint: Path, first: bool) -> None:
        _start(job, trainer, checkpoint, shorter if first else None)

    trainer = fit(lambda: trainer_of(job.run.config, dataset, device, job.run.timeout), folder, begin)
    if is_first():
        trainer.snapshots.save(folder / "snapshots.npz")
    progress = trainer.progress
    timings = {
        "start_seconds": progress.start_seconds,
        "train_seconds": progress.seconds,
        "steps_per_second": progress.step / max(progress.seconds, 1e-9),
        "quantizer_share": trainer.stopwatch.share(),
        "total_seconds": trainer.earlier_seconds,
    }
    return Ready(trainer.trained, trainer.objective, progress.step, timings, progress.origin)


def _start(job: Job, trainer: Trainer, checkpoint: Path, shorter: Shorter | None) -> None:
    """Before the first step: from the weights that the run names, or where a shorter one of the same ended."""
    if job.run.init_from is not None:
        trainer.progress.origin = {"init_from": load_weights(_weights(job), trainer.whole)}
    if shorter is not None and is_a_beginning(shorter, trainer):
        go_on_from(shorter, trainer, checkpoint)


def _weights(job: Job) -> Path:
    """The file to start from, which is what the key names."""
    assert job.run.init_from is not None
    named = job.run.config["init_from"]
    path = Path(job.run.init_from)
    try:
        if "run" in named:
            path = kept_weights(Path(job.others or job.results), named["run"])
    except UsageError as error:
        raise ChangedError(str(error)) from error
    if "sha256" in named and (not path.is_file() or checksum(path) != named["sha256"]):
        raise ChangedError(f"the weights {path} were changed since the run was planned")
    return path


def _repeat_exactly() -> None:
    """Only kernels that give the same bits every time; an operation without one ends the run with its name."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
