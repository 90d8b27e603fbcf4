"""Metrics: of codes for every method, of reconstructions by the data set's modality, and further ones by name."""

from typing import TYPE_CHECKING

from benchmark.components import Components
from benchmark.metrics import generation  # noqa: F401  its columns are known wherever the catalogue is

if TYPE_CHECKING:  # who only reads the catalogue needs no torch
    from benchmark.metrics.base import ReconstructionMetrics

_SUPPLIED = ("item_shape", "device", "originals_key", "sample_rate")
OF_CODES = {"unmapped": False, "training_codes": False, "distinct_codes": False}
"""Options of every evaluation: also usage and rank of the codewords before a method's map, usage over all training
items, and how many different codes there are, which codes without bound always say."""

metrics: "Components[ReconstructionMetrics]" = Components(
    "modality", "benchmark.metrics", _SUPPLIED, {"cheapest": {}, "named": {}}, common={**OF_CODES, "extra": ()}
)
"""What is measured on every test set of a modality. ``cheapest``: options that suffice for tuning, which chooses by the
validation error. ``named``: what the names in an option are those of. The option ``extra`` lists `extra_metrics`."""

extra_metrics: "Components[ReconstructionMetrics]" = Components(
    "metric", "benchmark.metrics", _SUPPLIED, {"modality": ""}
)
"""What a suite can measure beside them. ``modality``: of the data that one is for, any where it is empty. How its
columns are shown is said to `benchmark.metrics.catalogue.register`."""

__all__ = ["OF_CODES", "extra_metrics", "metrics"]
