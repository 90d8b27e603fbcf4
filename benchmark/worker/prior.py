"""A prior from the tokenizer that another run has trained to its record."""

import time
from pathlib import Path
from typing import Any

import torch

from benchmark.data import datasets
from benchmark.machine import PeakMemory
from benchmark.priors import is_native
from benchmark.priors.evaluation import evaluate_prior
from benchmark.priors.tokenizer import Tokenizer
from benchmark.priors.training import PriorTrainer, codes_of
from benchmark.records.run import WEIGHTS, tokenizer_of
from benchmark.records.store import Store
from benchmark.worker.changed import ChangedError, check_content
from benchmark.worker.fitting import fit
from benchmark.worker.job import Job


def train_prior(job: Job, folder: Path, device: torch.device) -> dict[str, Any]:
    """Train and evaluate the prior of ``job``; what `execute` says of a run that ended well.

    Raises:
        ChangedError: its tokenizer is not there, or another.
        DivergedError: a loss, or the likelihood after the last step, was not finite.
    """
    config, named = job.run.config, tokenizer_of(job.run.config)
    weights = _weights(job)
    dataset = datasets.create(named["dataset"]["name"], job.run.dataset_options)
    check_content(dataset, named["dataset"])
    peak, begun = PeakMemory(device), time.monotonic()
    tokenizer = Tokenizer.of_run(named, weights, dataset, device, native=is_native(config["prior"]))
    codes = codes_of(tokenizer, dataset, config["classes"])
    digits, positions = tokenizer.joint.digits, tokenizer.positions
    started = time.monotonic() - begun
    trainer = fit(lambda: PriorTrainer(config, codes, digits, positions, device, job.run.timeout), folder)
    begun = time.monotonic()
    measured = evaluate_prior(config, trainer.prior, codes, tokenizer, folder)
    progress = trainer.progress
    return {
        "status": "ok",
        "metrics": measured.metrics,
        "details": measured.details,
        "level_sizes": list(tokenizer.joint.level_sizes),
        "timings": {
            "start_seconds": started,
            "train_seconds": progress.seconds,
            "steps_per_second": progress.step / max(progress.seconds, 1e-9),
            **measured.timings,
            "evaluate_seconds": time.monotonic() - begun,
            "total_seconds": trainer.earlier_seconds,
        },
        "memory": peak.read(),
        "provenance": {
            "data": {**dataset.provenance, "test_sha256": dataset.test_sha256},
            "tokenizer": job.run.tokenizer,
        },
    }


def _weights(job: Job) -> Path:
    """The file that the run of the tokenizer kept.

    Raises:
        ChangedError: there is no such run that ended well, or it kept nothing.
    """
    assert job.run.tokenizer is not None
    store = Store(Path(job.results), read_only=True)
    record = store.record(job.run.tokenizer)
    same = record is not None and record["status"] == "ok" and record["config"] == tokenizer_of(job.run.config)
    if record is None or not same or WEIGHTS not in record.get("files", {}):
        raise ChangedError(f"its tokenizer {job.run.tokenizer} has no whole record with weights in {store.folder}")
    return store.record_path(job.run.tokenizer).with_name(WEIGHTS)
