"""A run that trains nothing: a published checkpoint in our model and quantizer."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmark.data import Dataset
from benchmark.objectives import Objective
from benchmark.pretrained.families import family_of
from benchmark.pretrained.loading import load_pretrained
from benchmark.records.files import checksum
from benchmark.records.run import Run
from benchmark.training.system import System, build_objective, build_system
from methods.core.usage import UsageError


class Ready(NamedTuple):
    """What is evaluated, however it came about; ``step``: how far it was trained here."""

    system: System
    objective: Objective
    step: int
    timings: Mapping[str, float | None]
    provenance: dict[str, Any]


def read_released(run: Run, dataset: Dataset, device: torch.device) -> Ready:
    """The system of ``run`` with the weights of its checkpoint.

    Raises:
        UsageError: the file was changed since the run was planned, or can't be read into this model.
    """
    assert run.pretrained is not None
    begun = time.monotonic()
    path, config = Path(run.pretrained), run.config
    if checksum(path) != config["pretrained"]["sha256"]:
        raise UsageError(f"the checkpoint {path} was changed since the run was planned")
    system = build_system(config, dataset, device)
    family = family_of(config["model"]["name"], config["method"])
    loaded = load_pretrained(path, family, system.model, system.quantizer)
    found = {"file": path.name, "sha256": config["pretrained"]["sha256"], **loaded._asdict()}
    timings = {"start_seconds": time.monotonic() - begun}
    return Ready(system, build_objective(config, dataset, device), 0, timings, {"pretrained": found})
