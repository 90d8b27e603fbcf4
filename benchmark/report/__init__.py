"""Tables and plots from a results folder, and from nothing else."""

from benchmark.report.build import build, check_plots, check_tables
from benchmark.report.frame import read, warned_once

__all__ = ["build", "check_plots", "check_tables", "read", "warned_once"]
