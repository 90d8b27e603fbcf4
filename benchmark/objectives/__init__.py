"""Objectives by name: how far a reconstruction is from its target, and what else a step minimises."""

from benchmark.components import Components
from benchmark.objectives.base import Objective

objectives: Components[Objective] = Components("objective", "benchmark.objectives", ("variance", "sample_rate"))

__all__ = ["Objective", "objectives"]
