"""Encoders and decoders by name; the same weights for every arm at the same seed.

``modality``: of the data that a model is made for; empty for any.
"""

from benchmark.components import Components
from benchmark.models.base import Autoencoder

models: Components[Autoencoder] = Components("model", "benchmark.models", ("item_shape",), {"modality": ""})

__all__ = ["Autoencoder", "models"]
