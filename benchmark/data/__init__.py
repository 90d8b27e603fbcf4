"""Data sets by name, each split into train, validation and test."""

from benchmark.components import Components
from benchmark.data.base import Dataset

datasets: Components[Dataset] = Components("data set", "benchmark.data", traits={"modality": "image"})

__all__ = ["Dataset", "datasets"]
