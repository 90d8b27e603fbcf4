"""Data sets by name, split into train, validation and test; ``classes``: what those of labelled items are called."""

from benchmark.components import Components
from benchmark.data.base import Dataset, Labels

datasets: Components[Dataset] = Components("data set", "benchmark.data", traits={"modality": "image", "classes": ()})

__all__ = ["Dataset", "Labels", "datasets"]
