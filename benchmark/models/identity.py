"""No encoder: the items are the latents, for studies of the quantizer alone."""

from torch import Tensor

from benchmark.models import models
from benchmark.models.base import Autoencoder


class Identity(Autoencoder):
    """Items ``[B, D, *positions]`` as latents ``[B, *positions, D]`` and back; a plain vector has no positions."""

    def __init__(self, item_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_dim = item_shape[0]
        self.positions = tuple(item_shape[1:])

    def encode(self, items: Tensor) -> Tensor:
        """Channels moved last."""
        return items.movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Channels moved back."""
        return latents.movedim(-1, 1)


@models.register("identity")
def identity(*, item_shape: tuple[int, ...]) -> Autoencoder:
    """The items themselves as latents."""
    return Identity(item_shape)
