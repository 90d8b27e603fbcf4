"""What a model is: an encoder to channel-last latents and a decoder back."""

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
