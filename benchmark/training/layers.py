"""A stack as its layers are trained and used one by one: each on the frozen latents of the one below."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmark.models import Autoencoder, Layer, Stack
from benchmark.models.parts.normaliser import RunningNormaliser
from methods import Quantizer


class Lowest(Autoencoder):
    """The lowest layer as a model of the data: what enters and leaves the stack is this layer's."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        layer = stack.each[0]
        self.layer, self.latent_dim, self.positions = layer, layer.latent_dim, layer.positions
        self._enter, self._leave = stack.enter, stack.leave

    def inputs(self, items: Tensor, learn: bool = False) -> Tensor:
        """What the layer encodes of the model's inputs."""
        return self._enter(items)

    def encode(self, items: Tensor) -> Tensor:
        """Latents of the layer."""
        return self.layer.encode(self.inputs(items))

    def decode(self, latents: Tensor) -> Tensor:
        """Outputs of the model."""
        return self._leave(self.layer.decode(latents))


class Above(Autoencoder):
    """A layer and all below it as one model of the data.

    It encodes the continuous latents of the one below, normalised; what it decodes is quantized by that one's
    quantizer on the way down.
    """

    def __init__(self, below: "Lowest | Above", quantizer: Quantizer, layer: Layer) -> None:
        super().__init__()
        self.below, self.quantizer, self.layer = below, quantizer, layer
        self.normaliser = RunningNormaliser(below.latent_dim)
        self.latent_dim, self.positions = layer.latent_dim, layer.positions

    @torch.no_grad()
    def inputs(self, items: Tensor, learn: bool = False) -> Tensor:
        """What the layer encodes of the model's inputs; ``learn``: the normaliser adds them to what it has seen."""
        latents = self.below.encode(items).float()
        if learn:
            self.normaliser.learn(latents)
        return self.normaliser.normalise(latents).movedim(-1, 1)

    def encode(self, items: Tensor) -> Tensor:
        """Latents of the layer."""
        return self.layer.encode(self.inputs(items))

    def decode(self, latents: Tensor) -> Tensor:
        """Outputs of the model."""
        found = self.normaliser.restore(self.layer.decode(latents).float().movedim(1, -1))
        return self.below.decode(self.quantizer(found).latents)


def layered(stack: Stack, quantizer_of: Callable[[int], Quantizer]) -> tuple[Lowest | Above, Quantizer]:
    """The highest layer of ``stack`` on all others, and its quantizer.

    ``quantizer_of``: a new quantizer for a layer, which counts from 0.
    """
    model: Lowest | Above = Lowest(stack)
    quantizer = quantizer_of(0)
    tell(quantizer, model.layer.item_shape, model.positions)
    for index, layer in enumerate(stack.each[1:], start=1):
        model, quantizer = Above(model, quantizer, layer), quantizer_of(index)
        tell(quantizer, layer.item_shape, layer.positions)
    return model, quantizer


def tell(quantizer: Quantizer, item_shape: tuple[int, ...], positions: tuple[int, ...]) -> None:
    """Let ``quantizer`` know how many values of an item there are for each of its positions."""
    quantizer.values_per_position = math.prod(item_shape) / math.prod(positions)


def layers_of(model: Autoencoder, quantizer: Quantizer) -> list[tuple[Lowest | Above, Quantizer]]:
    """Every layer on those below it, with its quantizer, the lowest first."""
    assert isinstance(model, Lowest | Above)
    found = [(model, quantizer)]
    while isinstance(model, Above):
        found.insert(0, (model.below, model.quantizer))
        model = model.below
    return found
