"""The base class for quantizers of other libraries: what of the interface can be made of a module and its way back."""

import torch
from torch import Tensor, nn

from methods.core.base import Quantized, Quantizer
from methods.parts.projection import MOST_CODEWORDS


class AdaptedQuantizer(Quantizer):
    """A module that quantizes latents ``[B, N, D]``, as it is.

    A subclass sets ``module`` and defines `quantize` and `look_up`; what is wrong with the module stays wrong, and
    `Quantizer.not_promised` says it.
    """

    one_graph = False
    module: nn.Module

    def quantize(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of latents ``[B, N, D]`` the output, codes ``[B, N]`` or ``[B, N, L]``, and the weighted loss."""
        raise NotImplementedError

    def look_up(self, codes: Tensor) -> Tensor:
        """Latents ``[B, N, D]`` of codes ``[B, N, L]``, by the module's own way back."""
        raise NotImplementedError

    def forward(self, latents: Tensor) -> Quantized:
        """What the module makes of the latents; of several losses the sum."""
        output, codes, loss = self.quantize(latents.reshape(latents.shape[0], -1, self.dim))
        codes = codes.reshape(*latents.shape[:-1], len(self.level_sizes)).long()
        return Quantized(output.reshape(latents.shape), codes, loss.sum())

    @torch.no_grad()
    def encode(self, latents: Tensor) -> Tensor:
        """The codes that the module gives in eval mode."""
        training = self.training
        codes = self.eval()(latents).codes
        self.train(training)
        assert codes is not None
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """The module's own way back, in eval mode or not."""
        return self.look_up(codes.flatten(1, -2) if codes.dim() > 2 else codes[:, None]).reshape(*codes.shape[:-1], -1)

    def codewords(self) -> list[Tensor] | None:
        """With one level what every code is decoded to, up to `MOST_CODEWORDS`; else None."""
        if len(self.level_sizes) > 1 or self.codebook_size > MOST_CODEWORDS:
            return None
        device = next(iter(self.state_dict().values())).device
        return [self.decode(torch.arange(self.codebook_size, device=device)[:, None])]
