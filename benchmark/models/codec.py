"""The speech codec: a SEANet encoder with either its mirror image or a Vocos-type decoder."""

from typing import Any

from torch import Tensor, nn

from benchmark.models import models
from benchmark.models.base import Autoencoder
from benchmark.models.parts import seanet
from benchmark.models.parts.vocos import VocosDecoder
from methods.core.usage import MOST_LAYERS, MOST_WIDTH, UsageError, check_choice, check_count

DECODERS = ("vocos", "seanet")


class Codec(Autoencoder):
    """Waveforms ``[B, 1, T]`` to latents ``[B, T / hop, D]`` and back; T may differ from batch to batch."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latent_dim: int, hop: int, samples: int) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim = latent_dim
        self.hop = hop
        self.positions = (-(-samples // hop),)

    def encode(self, items: Tensor) -> Tensor:
        """Latents of waveforms; a last hop that is not full is filled with zeros."""
        return self.encoder(nn.functional.pad(items, (0, -items.shape[-1] % self.hop))).transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """Waveforms, a whole number of hops long."""
        return self.decoder(latents.transpose(1, 2))


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `codec`, each known to be of its kind, or a UsageError."""
    check_choice("decoder", options["decoder"], DECODERS)
    strides = options["strides"]
    if not isinstance(strides, list | tuple) or not all(isinstance(s, int) and s >= 2 for s in strides) or not strides:
        raise UsageError(f"model `codec`: strides must be whole numbers of at least 2, not {strides!r}")
    check_count("model `codec`: latent_dim", options["latent_dim"])
    for name in ("filters", "decoder_width"):
        check_count(f"model `codec`: {name}", options[name], MOST_WIDTH)
    for name, least in (("decoder_layers", 1), ("residual_units", 0), ("lstm_layers", 0)):
        check_count(f"model `codec`: {name}", options[name], MOST_LAYERS, least)
    return options


@models.register("codec", checked, modality="audio")
def codec(
    *,
    latent_dim: int = 64,
    strides: list[int] = [2, 4, 5, 8],  # noqa: B006  read only
    filters: int = 8,
    residual_units: int = 1,
    lstm_layers: int = 0,
    causal: bool = False,
    decoder: str = "vocos",
    decoder_width: int = 192,
    decoder_layers: int = 4,
    item_shape: tuple[int, ...],
) -> Autoencoder:
    """Speech codec, at its defaults small enough for a CPU.

    ``strides``: their product is the hop, in samples a token; 320 gives 75 tokens a second at 24 kHz, 50 at 16 kHz.
    ``filters`` (doubled with every stride), ``residual_units`` before each stride, ``lstm_layers`` and ``causal``
    padding are of the SEANet encoder. ``decoder: seanet`` is its mirror image; ``decoder: vocos`` has
    ``decoder_layers`` ConvNeXt blocks of ``decoder_width`` and three times as many hidden units. The SimVQ paper's: 32
    filters, two LSTM layers, causal, D = 512, a Vocos decoder of 12 blocks of 768.

    Raises:
        UsageError: clips that are not a whole number of hops.
    """
    assert len(item_shape) == 2, item_shape
    assert item_shape[0] == 1, item_shape
    hop = seanet.hop(strides)
    if item_shape[1] % hop:
        raise UsageError(
            f"model `codec`: clips of {item_shape[1]:,} samples are not a whole number of hops of {hop} "
            f"(the product of strides {list(strides)})"
        )
    sizes = (filters, latent_dim, strides, residual_units, lstm_layers, causal)
    if decoder == "vocos":
        made: nn.Module = VocosDecoder(latent_dim, decoder_width, 3 * decoder_width, decoder_layers, hop)
    else:
        made = seanet.decoder(*sizes)
    return Codec(seanet.encoder(*sizes), made, latent_dim, hop, item_shape[1])
