"""What a run trains: encoder, quantizer and decoder, built from its configuration and seeds."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmark.data import Dataset
from benchmark.models import Autoencoder, Stack, models
from benchmark.objectives import Objective, objectives
from benchmark.seeds import derive_seed, seed_torch
from benchmark.training.layers import layered, tell
from methods import Quantized, Quantizer, create
from methods.core.usage import UsageError


class Reconstruction(NamedTuple):
    """One pass through the system: ``latents`` are the encoder's, in fp32."""

    output: Tensor
    latents: Tensor
    quantized: Quantized


class System(nn.Module):
    """Encoder, quantizer and decoder. With ``bf16``, all but the quantizer run under autocast.

    ``continuous``: latents pass by the quantizer, as before quantization starts. ``unquantized_share``: so do, in
    training, those of random items or positions (``unquantized_unit``), of which the quantizer learns all the same.
    """

    def __init__(
        self,
        model: Autoencoder,
        quantizer: Quantizer,
        precision: str = "fp32",
        unquantized_share: float = 0.0,
        unquantized_unit: str = "items",
    ) -> None:
        super().__init__()
        self.model = model
        self.quantizer = quantizer
        self.continuous = False
        self._unquantized_share = unquantized_share
        self._unquantized_unit = unquantized_unit
        self._bf16 = precision == "bf16"

    def sharing(self, model: Autoencoder, quantizer: Quantizer) -> "System":
        """Another model and quantizer, parts of this system, under its settings."""
        precision = "bf16" if self._bf16 else "fp32"
        return System(model, quantizer, precision, self._unquantized_share, self._unquantized_unit)

    def encode(self, items: Tensor) -> Tensor:
        """fp32 latents of a batch of inputs."""
        with torch.autocast(items.device.type, dtype=torch.bfloat16, enabled=self._bf16):
            return self.model.encode(items).float()

    def decode(self, latents: Tensor) -> Tensor:
        """fp32 reconstructions of latents."""
        with torch.autocast(latents.device.type, dtype=torch.bfloat16, enabled=self._bf16):
            return self.model.decode(latents).float()

    def quantize(self, latents: Tensor) -> Quantized:
        """What the decoder sees of latents ``[B, *positions, D]``.

        The quantizer gets a copy: latents, and items that may lie in the same memory, are what it is judged by.
        """
        if self.continuous:
            return Quantized(latents, None, latents.new_zeros(()))
        quantized: Quantized = self.quantizer(latents.clone())
        if not self.training or not self._unquantized_share:
            return quantized
        axes = 1 if self._unquantized_unit == "items" else latents.ndim - 1
        drawn = torch.rand(latents.shape[:axes], device=latents.device) < self._unquantized_share
        passing = drawn.reshape(*drawn.shape, *[1] * (latents.ndim - axes))
        return quantized._replace(latents=torch.where(passing, latents, quantized.latents))

    def codes(self, items: Tensor) -> Tensor:
        """The codes of a batch of inputs, ``[B, *positions, L]``."""
        codes: Tensor = self.quantizer.encode(self.encode(items).clone())
        return codes

    def reconstruction_loss(self, errors: Tensor, numel: int) -> Tensor:
        """Loss of summed errors ``[B]`` over ``numel`` elements an example, the quantizer's where there is one."""
        return errors.mean() / numel if self.continuous else self.quantizer.reconstruction_loss(errors, numel)

    def forward(self, items: Tensor) -> Reconstruction:
        """Encode, quantize, decode."""
        latents = self.encode(items)
        quantized = self.quantize(latents)
        return Reconstruction(self.decode(quantized.latents), latents, quantized)


def build_system(config: dict[str, Any], dataset: Dataset, device: torch.device) -> System:
    """Model and quantizer of a run. Weights are drawn on the CPU from seeds hashed from names.

    Switches TF32 off for the whole process: fp32 means fp32 on every device.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    seed_torch(derive_seed("model", config["seed"]))
    model = models.create(config["model"]["name"], _options(config["model"]), item_shape=dataset.item_shape)
    training = config["training"]

    def quantizer_of(layer: int) -> Quantizer:
        seed_torch(derive_seed("quantizer", config["method"], config["seed"], *([layer] if layer else [])))
        return create(config["method"], config["codebook_size"] or 1, model.latent_dim, **config["params"])

    if training.get("layerwise"):
        if not isinstance(model, Stack):
            raise UsageError(f"training: layerwise is for a model of several layers, not `{config['model']['name']}`")
        model, quantizer = layered(model, quantizer_of)
    else:
        quantizer = quantizer_of(0)
        tell(quantizer, dataset.item_shape, model.positions)
    unquantized = training.get("unquantized_share", 0.0), training.get("unquantized_unit", "items")
    return System(model, quantizer, training["precision"], *unquantized).to(device)


def check_model(model: dict[str, Any], item_shape: tuple[int, ...]) -> None:
    """Raise a `UsageError` where a configuration's ``model`` can't be had for such items; no memory is taken."""
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            models.create(model["name"], _options(model), item_shape=item_shape)
    except UsageError:
        raise
    except Exception:  # a plug-in's that looks at values, of which there are none; its runs will say more
        return


def build_objective(config: dict[str, Any], dataset: Dataset, device: torch.device) -> Objective:
    """The objective of a run; what it learns itself starts from the same weights for every arm."""
    chosen = config["objective"]
    seed_torch(derive_seed("objective", config["seed"]))
    supplied = {
        "variance": dataset.variance,
        "sample_rate": dataset.sample_rate,
        "item_shape": dataset.item_shape,
    }
    return objectives.create(chosen["name"], _options(chosen), **supplied).to(device)


def _options(component: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in component.items() if key != "name"}
