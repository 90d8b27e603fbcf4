"""One run in a process of its own, from start to record: ``python -m benchmark.worker`` with a job on stdin."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmark.checkpoint import BadCheckpointError
from benchmark.data import Dataset, datasets
from benchmark.evaluation import evaluate, quality_metrics
from benchmark.history import write_history
from benchmark.memory import PeakMemory
from benchmark.provenance import provenance
from benchmark.store import Store
from benchmark.training import DivergedError, OutOfTimeError, Row, Trainer, is_converged
from benchmark.worker_job import EXIT_CLAIMED, Job, empty_record
from methods import load_plugin


def work(job: Job) -> None:
    """Do the run and commit its record, whatever becomes of it."""
    store = Store(Path(job.results))
    with store.claim(job.run.key) as mine:
        if not mine:
            sys.exit(EXIT_CLAIMED)
        record = store.record(job.run.key)
        if record is not None and record["status"] not in job.retry:
            return
        torch.set_num_threads(job.threads)
        device = torch.device(job.device)
        started = time.monotonic()
        outcome = _outcome(job, store, device)
        base = empty_record(job.run)
        timings = {**outcome.pop("timings", {}), "total_seconds": time.monotonic() - started}
        store.write_record(job.run.key, {**base, **outcome, "timings": timings, "provenance": provenance(device)})
        if not job.keep_checkpoint:
            (store.run_folder(job.run.key) / "checkpoint.pt").unlink(missing_ok=True)


def _outcome(job: Job, store: Store, device: torch.device) -> dict[str, Any]:
    """Status and all that was measured; an exception becomes a status with its traceback."""
    try:
        for plugin in job.plugins:
            load_plugin(plugin)
        return _train_and_evaluate(job, store, device)
    except Exception as error:
        status, reason = _classify(error)
        return {"status": status, "reason": reason, "traceback": traceback.format_exc()}


def _classify(error: Exception) -> tuple[str, str]:
    if isinstance(error, DivergedError):
        return "diverged", str(error)
    if isinstance(error, OutOfTimeError):
        return "timeout", str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return "out_of_memory", (str(error) or "out of memory").splitlines()[0]
    return "failed", f"{type(error).__name__}: {error}"


def _train_and_evaluate(job: Job, store: Store, device: torch.device) -> dict[str, Any]:
    config, folder = job.run.config, store.run_folder(job.run.key)
    dataset = datasets.create(config["dataset"]["name"], job.run.dataset_options)
    quality = quality_metrics(dataset, config["evaluation"], device)
    peak = PeakMemory(device)
    trainer = _fit(job, dataset, device, folder / "checkpoint.pt")
    write_history(folder / "history.csv", trainer.progress.history)
    started = time.monotonic()
    evaluation = evaluate(trainer.trained, trainer.objective, dataset, quality, device, folder)
    return {
        "status": "ok",
        **evaluation,
        "converged": is_converged(trainer.progress.history),
        "level_sizes": list(trainer.system.quantizer.level_sizes),
        "timings": {
            "train_seconds": trainer.progress.seconds,
            "steps_per_second": trainer.progress.step / max(trainer.progress.seconds, 1e-9),
            "quantizer_share": trainer.stopwatch.share(),
            "evaluate_seconds": time.monotonic() - started,
        },
        "memory": peak.read(),
    }


def _fit(job: Job, dataset: Dataset, device: torch.device, checkpoint: Path) -> Trainer:
    def report(step: int, row: Row) -> None:
        _emit({"step": step, "loss": row["loss"], "usage": row.get("usage")})

    while True:
        trainer = Trainer(job.run.config, dataset, device, job.run.timeout)
        try:
            with _stopping(trainer):
                trainer.fit(checkpoint, report)
        except BadCheckpointError as error:
            print(f"{error}; training starts again", file=sys.stderr)
            checkpoint.unlink()
        else:
            return trainer


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


def _emit(event: dict[str, Any]) -> None:
    """One line of progress for the runner; a runner that is gone does not stop the run."""
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Read a job from standard input and do it."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        work(Job.from_json(sys.stdin.read()))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
