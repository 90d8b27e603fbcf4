"""Residual quantization: a stack of quantizers, each for what the ones before it left over."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized, Quantizer
from methods.core.registry import create, get, register, resolve_params
from methods.core.usage import UsageError, check_range
from methods.parts.composite import CompositeQuantizer, check_part, replay
from methods.parts.estimators import scale_gradient
from methods.parts.levels import split_size
from methods.parts.processes import broadcast

_DEFAULT_LEVEL = "codebook_reset"
_RQ_VAE: Mapping[str, Any] = {"beta": 0.25, "keep_statistics": False}
"""Parameters of the default level as in RQ-VAE, under those a person gives."""


@register("residual_vq")
class ResidualVQ(CompositeQuantizer):
    """Level j quantizes r_j = z - Σ_{i<j} sg q_i; the output is Σ_j q_j.

    Lee et al., "Autoregressive Image Generation using Residual Quantization" (RQ-VAE), CVPR 2022, arXiv
    2203.01941. The defaults are theirs; dropout is SoundStream's (arXiv 2107.03312). The codebook size is the
    product of the level sizes: equal ones, or powers of two that differ by one factor of two.

    The latents get the mean over levels of each level's gradients, of output and loss both, so that with
    straight-through levels the output's gradient is the identity and every level's commitment reaches the
    encoder. The parameters of a level get its own gradients in full.

    Args:
        depth: number of levels.
        level: any registered method with one codebook whose loss is no bound on the likelihood.
        level_params: its parameters, over its defaults; over RQ-VAE's for the default level.
        shared: all levels are one quantizer, which updates itself at each level in turn, as in RQ-VAE's settings.
        dropout: probability that a training step uses the first n levels only, n uniform from 1 to depth.
    """

    card = Card(
        idea="a stack of quantizers, each for the residual of the ones before it",
        paper='Lee, Kim, Kim, Cho, Han, "Autoregressive Image Generation using Residual Quantization", CVPR 2022, '
        "arXiv 2203.01941",
        code="kakaobrain/rq-vae-transformer, rqvae/models/rqvae/quantizations.py, RQBottleneck",
        trains="what its levels train: depth codebooks (K^(1/depth) x D), by default by moving averages",
        memory="N·D + ΣK_j·D",
        schedule="that of its levels' method, `codebook_reset` by default; the moving averages of a shared codebook "
        "decay at every level, so that they look back over 1 / depth as many steps",
        differences=(
            "follows RQ-VAE: mean of the commitment losses, residuals detached, restarted moving averages",
            "codebooks are not shared unless asked for (their class default; their published settings share one)",
            "levels start from the residuals of the first batch; theirs from N(0, 1), replaced in the first step",
            "a codeword is redrawn below 0.01 of its uniform share; theirs below 1 latent a step",
            "no Laplace smoothing: averages never fall below the threshold",
            "EnCodec's levels after the first get no commitment gradient (facebookresearch/encodec#25); here they do",
            "SoundStream drops levels an example, here a batch",
        ),
        evidence=(
            "authors' RQBottleneck with its threshold, 40 steps, depth 4, K = 64, D = 16, separate and shared: the "
            "same codes, outputs within 1.2e-5, loss 2.2e-8, gradient of the latents 4.8e-7, codebooks 1.3e-5, which "
            "is their Laplace smoothing",
            "EnCodec's ResidualVectorQuantization, depth 3, same codebooks: the same codes, outputs and loss bit for "
            "bit; gradient of the output within 2.4e-7; its commitment gradient is zero from the second level on",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob(
        "level_params",
        ({"beta": 0.1}, {"beta": 0.25}, {"beta": 1.0}),
        below=({"beta": 0.03},),
        above=({"beta": 3.0}, {"beta": 10.0}),
    )
    names_methods = ("level",)

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        depth: int = 4,
        level: str = _DEFAULT_LEVEL,
        level_params: Mapping[str, Any] | None = None,
        shared: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(codebook_size, dim, depth=depth, level=level, level_params=level_params, shared=shared)
        check_range("dropout", dropout, 0, 1)
        self.depth = depth
        self.dropout = dropout
        sizes = self.level_sizes[:1] if shared else self.level_sizes
        params = _level_params(level, level_params)
        self.levels = nn.ModuleList(create(level, size, dim, **params) for size in sizes)

    @classmethod
    def resolve_size(
        cls,
        codebook_size: int,
        *,
        depth: int = 4,
        level: str = _DEFAULT_LEVEL,
        level_params: Mapping[str, Any] | None = None,
        shared: bool = False,
        **params: Any,
    ) -> tuple[int, ...]:
        """One size a level, with the product asked for."""
        sizes = split_size(super().resolve_size(codebook_size)[0], depth)
        if shared and len(set(sizes)) > 1:
            raise UsageError(f"a shared codebook needs levels of one size, which {codebook_size:,} is no power of")
        method = check_part(level, "level of residual_vq")
        options = resolve_params(level, _level_params(level, level_params))
        resolved = [method.resolve_size(size, **options) for size in sizes]
        if shared and not method.can_be_shared(**options):
            raise UsageError(f"`{level}` can't be shared by levels: it updates itself once a step, after all of them")
        if any(len(one) != 1 for one in resolved):
            raise UsageError(f"`{level}` can't be a level of residual_vq: it must have one codebook")
        return tuple(one[0] for one in resolved)

    @classmethod
    def check_on_cpu(
        cls,
        codebook_size: int,
        *,
        depth: int = 4,
        level: str = _DEFAULT_LEVEL,
        level_params: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> None:
        """What the levels say of their own sizes."""
        options = resolve_params(level, _level_params(level, level_params))
        for size in split_size(codebook_size, depth):
            get(level).check_on_cpu(size, **options)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: the mean of the levels' losses."""
        active = self._active_levels(latents.device)
        residual, total = latents, torch.zeros_like(latents)
        codes, losses, logs = [], [], []
        for level in self._stack()[:active]:
            result = level(scale_gradient(residual, 1 / active))
            total = total + result.latents
            residual = residual - result.latents.detach()
            codes.append(result.codes)
            losses.append(result.loss)
            logs.append(result.log)
        codes.append(codes[0].new_full((*latents.shape[:-1], self.depth - active), -1))
        loss = scale_gradient(torch.stack(losses).mean(), active)
        log = {name: torch.stack([entry[name] for entry in logs]).mean() for name in logs[0]}
        return Quantized(total, torch.cat(codes, dim=-1), loss, log)

    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, depth]``, chosen level by level."""
        codes = []
        for level in self._stack():
            codes.append(level.encode(latents))
            latents = latents - level.decode(codes[-1])
        return torch.cat(codes, dim=-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Sum of the levels' codewords; a level of -1 adds nothing."""
        total = torch.zeros((), device=codes.device)
        for level, chosen in zip(self._stack(), codes.split(1, dim=-1), strict=True):
            total = total + torch.where(chosen >= 0, level.decode(chosen.clamp(min=0)), 0.0)
        return total

    def codewords(self) -> list[Tensor] | None:
        """The codewords of each level, where every level can list them."""
        listed = [level.codewords() for level in self._stack()]
        return None if any(one is None for one in listed) else [one[0] for one in listed if one is not None]

    def is_one_graph(self) -> bool:
        """Unless levels are dropped."""
        return super().is_one_graph() and not self.dropout

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """Start level after level from what the levels before it leave over of the same batches."""
        seen: list[Tensor] = []
        for index, level in enumerate(self.parts()):
            level.initialise(self._left_over(batch, index) for batch in replay(seen, latents))

    def _stack(self) -> list[Quantizer]:
        """The quantizer of each level."""
        return self.parts() if len(self.levels) == self.depth else self.parts() * self.depth

    def _active_levels(self, device: torch.device) -> int:
        """How many levels this forward pass uses, the same on every process."""
        if not self.training or self.dropout == 0:
            return self.depth
        whether, how_many = broadcast(torch.rand(2, device=device)).tolist()
        return 1 + int(how_many * self.depth) if whether < self.dropout else self.depth

    @torch.no_grad()
    def _left_over(self, latents: Tensor, index: int) -> Tensor:
        """Residual of ``latents`` after the first ``index`` levels."""
        for level in self.parts()[:index]:
            latents = latents - level.decode(level.encode(latents))
        return latents


def _level_params(level: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**(_RQ_VAE if level == _DEFAULT_LEVEL else {}), **(given or {})}
