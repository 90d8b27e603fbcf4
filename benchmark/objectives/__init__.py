"""Objectives by name: how far a reconstruction is from its target, and what else a step minimises.

``modality``: of the data that an objective is for; empty for any. ``least_batch``: items that it needs in a batch.
"""

from benchmark.components import Components
from benchmark.objectives.base import Objective

objectives: Components[Objective] = Components(
    "objective",
    "benchmark.objectives",
    ("variance", "sample_rate", "item_shape"),
    {"modality": "", "least_batch": 1},
)

__all__ = ["Objective", "objectives"]
