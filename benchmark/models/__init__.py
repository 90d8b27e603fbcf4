"""Encoders and decoders by name; the same weights for every arm at the same seed.

``modality``: of the data that a model is made for; empty for any. ``layers``: of a stack, the option that says how many
layers it has; empty for a model that is none.
"""

from benchmark.components import Components
from benchmark.models.base import Autoencoder, Layer, Stack

models: Components[Autoencoder] = Components(
    "model", "benchmark.models", ("item_shape",), {"modality": "", "layers": ""}
)

__all__ = ["Autoencoder", "Layer", "Stack", "models"]
