"""Encoders and decoders by name; the same weights for every arm at the same seed."""

from benchmark.components import Components
from benchmark.models.base import Autoencoder

models: Components[Autoencoder] = Components("model", "benchmark.models", ("item_shape",))

__all__ = ["Autoencoder", "models"]
