"""Codes, reconstructions and latents from elsewhere, by the metrics that a run's evaluation has; nothing is trained."""

from benchmark.elsewhere.measuring import Measured, measure

__all__ = ["Measured", "measure"]
