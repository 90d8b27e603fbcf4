"""Metrics: of codes for every method, of reconstructions by the data set's modality."""

from benchmark.components import Components
from benchmark.metrics.base import ReconstructionMetrics

metrics: Components[ReconstructionMetrics] = Components(
    "modality", "benchmark.metrics", ("item_shape", "device", "originals_key", "sample_rate")
)

__all__ = ["ReconstructionMetrics", "metrics"]
