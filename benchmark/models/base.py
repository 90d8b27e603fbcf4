"""What a model is: an encoder to channel-last latents and a decoder back, or a stack of such."""

from collections.abc import Sequence

from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Encoder and decoder around a quantizer.

    ``latent_dim``: D. ``positions``: shape of the latent grid of one item; their product is the number
    of tokens an item costs.
    """

    latent_dim: int
    positions: tuple[int, ...]

    @property
    def last_layer(self) -> nn.Parameter | None:
        """Weights of the decoder's last layer, by whose gradients some objectives are balanced; None: not named."""
        return None

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, *positions, D]`` of inputs ``[B, ...]``."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> Tensor:
        """Reconstructions ``[B, ...]`` of latents ``[B, *positions, D]``."""
        raise NotImplementedError


class Layer(Autoencoder):
    """One autoencoder of a stack. ``item_shape``: of what it encodes, channels first."""

    item_shape: tuple[int, ...]


class Stack(Autoencoder):
    """Autoencoders each of which has the latents of the one below, channels first, as its items.

    By itself it is one model, all encoders after one another and then all decoders. With ``layerwise`` training each
    layer is a model of its own (`benchmark.training.layers`).
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.latent_dim, self.positions = layers[-1].latent_dim, layers[-1].positions

    @property
    def each(self) -> list[Layer]:
        """The layers, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def enter(self, items: Tensor) -> Tensor:
        """What the lowest layer encodes of the model's inputs, and learns to give back."""
        return items

    def leave(self, output: Tensor) -> Tensor:
        """The model's output from that of the lowest layer."""
        return output

    def encode(self, items: Tensor) -> Tensor:
        """Latents of the highest layer."""
        latents = self.enter(items).movedim(1, -1)
        for layer in self.each:
            latents = layer.encode(latents.movedim(-1, 1))
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Down through the decoders of all layers."""
        for layer in reversed(self.each):
            latents = layer.decode(latents).movedim(1, -1)
        return self.leave(latents.movedim(-1, 1))
