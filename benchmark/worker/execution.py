"""A run from data to metrics in this process, alone or as one of the processes that share it."""

import logging
import math
import os
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmark.data import Dataset, datasets
from benchmark.machine import PeakMemory, provenance
from benchmark.metrics import OF_CODES
from benchmark.processes import all_say, first_says, is_first
from benchmark.records.files import UnwritableError, checksum
from benchmark.records.history import HISTORY_FILE, write_history
from benchmark.records.kept import Shorter, kept_weights, longest_shorter
from benchmark.records.run import WEIGHTS
from benchmark.records.store import CHECKPOINT, RECORD
from benchmark.training.checkpoint import BadCheckpointError, save_weights
from benchmark.training.evaluation import evaluate, quality_metrics
from benchmark.training.starting import go_on_from, is_a_beginning, load_weights
from benchmark.training.trainer import DivergedError, OutOfTimeError, Row, Stopped, Trainer
from benchmark.worker.channel import emit
from benchmark.worker.job import Job
from benchmark.worker.released import Ready, read_released
from benchmark.worker.verdict import has_no_room, is_out_of_memory, is_unwritable, sound
from methods.core.plugins import check_sources, load_plugins
from methods.core.usage import UsageError, in_words, message_of

_LOG = logging.getLogger(__name__)


class ChangedError(UsageError):
    """A plug-in can't be loaded, or it or the files of the data set are not those that a run's key names."""


class Watched:
    """The curves of a run on disk while it goes on; not where the files of an older record would no longer be its own.

    Once they can't be written they are left to the end, which says so.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY_FILE
        self._shown = 0
        self._writes = not (folder / RECORD).exists()
        if self._writes and is_first():
            self._path.unlink(missing_ok=True)

    def show(self, history: list[Row]) -> None:
        """Write ``history`` where it has grown."""
        if self._writes and len(history) > self._shown:
            self._shown = len(history)
            try:
                write_history(self._path, history)
            except UnwritableError:
                self._writes = False


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
        check_sources(job.run.config.get("plugins", {}))
    except UsageError as error:  # the command that planned the run has loaded them
        raise ChangedError(str(error)) from error
    try:
        outcome = _train_and_evaluate(job, folder, device)
    except (Stopped, ChangedError):
        raise
    except BaseException as error:  # also sys.exit of a method, which has no say in what follows
        if is_unwritable(error, folder):
            raise
        if job.beside > job.run.devices == 1 and device.type == "cuda" and has_no_room(error):
            raise CrowdedError from error
        status, reason = classify(error)
        outcome = {"status": status, "reason": sound(reason), "traceback": sound(traceback.format_exc())}
    timings = {**outcome.pop("timings", {}), "total_seconds": time.monotonic() - started}
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


def _train_and_evaluate(job: Job, folder: Path, device: torch.device) -> dict[str, Any]:
    config = job.run.config
    dataset = datasets.create(config["dataset"]["name"], job.run.dataset_options)
    _check_content(dataset, config["dataset"])
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


def _check_content(dataset: Dataset, options: Mapping[str, Any]) -> None:
    """ChangedError where the files are others than when a run was planned, whose key names their ``content``."""
    planned, found = options.get("content"), dataset.provenance.get("content")
    if planned not in (None, found):
        raise ChangedError(f"the files of data set `{options['name']}` were changed since the run was planned")


def _trained(job: Job, dataset: Dataset, device: torch.device, folder: Path) -> Ready:
    """The system after its training, whose curves are written."""
    trainer = _fit(job, dataset, device, folder)
    if is_first():
        write_history(folder / HISTORY_FILE, trainer.progress.history)
        trainer.snapshots.save(folder / "snapshots.npz")
    progress = trainer.progress
    timings = {
        "start_seconds": progress.start_seconds,
        "train_seconds": progress.seconds,
        "steps_per_second": progress.step / max(progress.seconds, 1e-9),
        "quantizer_share": trainer.stopwatch.share(),
    }
    return Ready(trainer.trained, trainer.objective, progress.step, timings, progress.origin)


def _fit(job: Job, dataset: Dataset, device: torch.device, folder: Path) -> Trainer:
    checkpoint = folder / CHECKPOINT
    watched = Watched(folder)

    def report(step: int, row: Row) -> None:
        if is_first():
            emit({"step": step, "loss": row["loss"], "usage": row.get("usage")})
            watched.show(trainer.progress.history)

    shorter = longest_shorter(Path(job.others), job.run.config) if job.others else None
    while True:
        trainer = Trainer(job.run.config, dataset, device, job.run.timeout)
        try:
            with _stopping(trainer):
                if first_says(not checkpoint.exists())[0]:
                    _start(job, trainer, checkpoint, shorter)
                trainer.fit(checkpoint, report)
        except BadCheckpointError as error:
            _LOG.warning("%s; training starts again", error)
            shorter = None
            if is_first():
                checkpoint.unlink(missing_ok=True)
            all_say(True)  # none looks for it before it is gone
        else:
            return trainer


def _start(job: Job, trainer: Trainer, checkpoint: Path, shorter: Shorter | None) -> None:
    """Before the first step: from the weights that the run names, or where a shorter one of the same ended."""
    if job.run.init_from is not None:
        trainer.progress.origin = {"init_from": load_weights(_weights(job), trainer.system)}
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


@contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """Within it SIGTERM ends the training between two steps, where its state is whole."""

    def stop(_signal: int, _frame: object) -> None:
        trainer.stop_requested = True

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _repeat_exactly() -> None:
    """Only kernels that give the same bits every time; an operation without one ends the run with its name."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
