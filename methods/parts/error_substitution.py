"""The common part of NSVQ and DiVeQ: in training an error of the quantizer's length is added to the latents."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm

from methods.core.base import Quantized
from methods.core.usage import check_range
from methods.parts.activity import ActivityWindow
from methods.parts.codebook import CodebookQuantizer
from methods.parts.processes import broadcast

_TINY = 1e-12


class ErrorSubstitution(CodebookQuantizer):
    """Training output z + |q - z| · v / |v|, where v has no gradient; in eval mode the codeword itself.

    Latents and codeword get their gradient through the length of the error, so that there is no loss beside the
    reconstruction's. A subclass fills ``codebook`` and says what v is. Codewords used in less than ``threshold``
    of the last ``replace_every`` training steps become copies of those in use, moved by
    ``perturbation`` · N(0, I), as long as the share of the run that is over is at most ``replace_share``: a fresh
    copy differs by rounding alone, and needs steps of some length to leave the codeword it came from.
    """

    weighted: ClassVar[bool]
    """Whether a codeword is copied in proportion to its use; else each in use as often as any other."""

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        kmeans: bool,
        replace_every: int,
        replace_share: float,
        threshold: float,
        perturbation: float,
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("replace_every", replace_every, 0)
        check_range("replace_share", replace_share, 0, 1)
        check_range("threshold", threshold, 0, 1)
        check_range("perturbation", perturbation, 0)
        self.codebook = nn.Parameter(torch.empty(self.codebook_size, dim))
        self.activity = ActivityWindow(self.codebook_size, interval=replace_every, threshold=threshold)
        self.perturbation = perturbation
        self.register_buffer("initialised", torch.tensor(not kmeans))
        self.replace_share = replace_share
        self.replacing = True

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches, for ``init="kmeans"``."""
        self.start_from_kmeans(latents)

    def anneal(self, step: int, total_steps: int) -> None:
        """No replacement at the end of a run."""
        self.replacing = step + 1 <= self.replace_share * total_steps

    @classmethod
    def can_be_shared(cls, **params: Any) -> bool:
        """No: a window counts passes as steps."""
        return False

    def direction(self, error: Tensor) -> Tensor:
        """v of the error q - z, both ``[B, *positions, D]``."""
        raise NotImplementedError

    def forward(self, latents: Tensor) -> Quantized:
        """No loss; the reconstruction's gradient reaches latents and codebook through the output."""
        codes = self.encode(latents)
        quantized = self.decode(codes)
        output = quantized
        if self.training:
            self.activity.observe(codes.reshape(-1))
            output = substitute_error(latents, quantized, self.direction(quantized - latents))
        return Quantized(output, codes, latents.new_zeros(()))

    @torch.no_grad()
    def after_step(self) -> None:
        """At the end of a window copy codewords in use over those that are not."""
        replacements = self.activity.take_replacements(weighted=self.weighted)
        if replacements is not None:
            self.replace(*replacements)

    def replace(self, inactive: Tensor, sources: Tensor) -> None:
        """Codewords ``sources [R]``, slightly moved, in place of ``inactive [R]``; nothing at the end of a run."""
        if not self.replacing:
            return
        rows = self.codebook[sources]
        self.codebook[inactive] = rows + self.perturbation * broadcast(torch.randn_like(rows))


def substitute_error(latents: Tensor, quantized: Tensor, direction: Tensor) -> Tensor:
    """Latents plus ``|quantized - latents|`` along ``direction`` (detached), all ``[..., D]``."""
    direction = direction.detach()
    unit = direction / vector_norm(direction, dim=-1, keepdim=True).clamp_min(_TINY)
    return latents + vector_norm(quantized - latents, dim=-1, keepdim=True) * unit
