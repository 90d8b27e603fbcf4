"""The stack of small autoencoders of HQA, each of which halves the sides of what the one below makes."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import pad

from benchmark.models import models
from benchmark.models.base import Layer, Stack
from methods.core.usage import MOST_LAYERS, MOST_WIDTH, UsageError, check_count

ENCODER_WIDTHS = (16, 16, 32, 64, 128)
DECODER_WIDTHS = (16, 64, 256, 512, 1024)
BLACK = -1.0
MOST_BORDER = 1024
"""Beyond which none is taken, nor looked for where sides can't be halved."""


class Halving(Layer):
    """Encoder to half the height and width, decoder back; the lowest layer's ends with a sigmoid."""

    def __init__(
        self, item_shape: tuple[int, int, int], latent_dim: int, width: int, decoder_width: int, lowest: bool
    ) -> None:
        super().__init__()
        channels, height, width_px = item_shape
        self.item_shape, self.latent_dim, self.positions = item_shape, latent_dim, (height // 2, width_px // 2)
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, width // 2, 3, stride=2, padding=1),
            nn.Mish(),
            nn.Conv2d(width // 2, width, 3, padding=1),
            nn.Mish(),
            nn.Conv2d(width, latent_dim, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent_dim, decoder_width, 3, padding=1),
            nn.Mish(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(decoder_width, decoder_width // 2, 3, padding=1),
            nn.Mish(),
            nn.Conv2d(decoder_width // 2, channels, 3, padding=1),
            *([nn.Sigmoid()] if lowest else []),
        )

    def encode(self, items: Tensor) -> Tensor:
        """Latents ``[B, H/2, W/2, D]`` of items ``[B, C, H, W]``."""
        return self.encoder(items).movedim(1, -1)

    def decode(self, latents: Tensor) -> Tensor:
        """Items ``[B, C, H, W]`` of latents ``[B, H/2, W/2, D]``."""
        return self.decoder(latents.movedim(-1, 1))


class HQAStack(Stack):
    """Layers of `Halving` on images with a black border; the lowest sees values in [0, 1]."""

    def __init__(self, layers: Sequence[Halving], border: int) -> None:
        super().__init__(layers)
        self._border = border

    @property
    def last_layer(self) -> nn.Parameter:
        """The lowest layer's convolution to pixels."""
        lowest = self.each[0]
        assert isinstance(lowest, Halving)
        last = lowest.decoder[-2]
        assert isinstance(last, nn.Conv2d)
        assert isinstance(last.weight, nn.Parameter)
        return last.weight

    def enter(self, items: Tensor) -> Tensor:
        """Images ``[B, C, H, W]`` in [-1, 1] with their border, in [0, 1]."""
        return (pad(items, [self._border] * 4, value=BLACK) + 1) / 2

    def leave(self, output: Tensor) -> Tensor:
        """Values in [0, 1] as images in [-1, 1] without the border."""
        side, height, width = self._border, output.shape[-2], output.shape[-1]
        return 2 * output[..., side : height - side, side : width - side] - 1


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `hqa_stack`, each known to be of its kind, with a width for each layer, or a UsageError."""
    layers = options["layers"]
    for name, most, least in (("layers", MOST_LAYERS, 1), ("latent_dim", None, 1), ("border", MOST_BORDER, 0)):
        check_count(f"model `hqa_stack`: {name}", options[name], most, least)
    for name in ("encoder_widths", "decoder_widths"):
        widths = options[name]
        if not isinstance(widths, list | tuple):
            raise UsageError(f"model `hqa_stack`: {name} must be a list of whole numbers, one a layer, not {widths!r}")
        for width in widths:
            check_count(f"model `hqa_stack`: one of the {name}", width, MOST_WIDTH, least=2)
        if len(widths) < layers:
            raise UsageError(f"model `hqa_stack`: {layers} layers need as many {name}, and there are {len(widths)}")
    return options | {name: list(options[name][:layers]) for name in ("encoder_widths", "decoder_widths")}


@models.register("hqa_stack", checked, modality="image", layers="layers")
def hqa_stack(
    *,
    layers: int = 5,
    latent_dim: int = 64,
    encoder_widths: Sequence[int] = ENCODER_WIDTHS,
    decoder_widths: Sequence[int] = DECODER_WIDTHS,
    border: int = 0,
    item_shape: tuple[int, ...],
) -> Stack:
    """Stack of autoencoders of Williams et al. (arXiv 2002.08111), sizes as in their MNIST model.

    With ``training.layerwise`` each of the ``layers`` learns the latents of the one below; without, all are trained at
    once, as one model with one quantizer. Widths are of the layers from the lowest up. ``border``: black pixels added
    around images, 2 to make 32x32 of 28x28.

    Raises:
        UsageError: the sides can't be halved so often.
    """
    channels, height, width = item_shape[0], *(side + 2 * border for side in item_shape[1:])
    factor = 2**layers
    if height % factor or width % factor:
        wider = range(1, MOST_BORDER - border + 1)
        fitting = (border + more for more in wider if not any((side + 2 * more) % factor for side in (height, width)))
        hint = "".join(f"; with a border of {one} they can" for one in islice(fitting, 1))
        raise UsageError(
            f"model `hqa_stack`: {height}x{width} pixels, a border of {border} included, can't be halved {layers} "
            f"times, once a layer{hint}"
        )
    built = []
    for index in range(layers):
        shape = (channels if index == 0 else latent_dim, height >> index, width >> index)
        built.append(Halving(shape, latent_dim, encoder_widths[index], decoder_widths[index], lowest=index == 0))
    return HQAStack(built, border)
