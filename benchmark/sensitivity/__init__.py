"""What known changes of images do to every metric: how far each may be trusted."""

from benchmark.sensitivity.report import write_sensitivity

__all__ = ["write_sensitivity"]
