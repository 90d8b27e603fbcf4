"""QINCo: residual quantization whose codewords a network adapts to what has been decoded so far."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from methods.core.base import Card, Knob, Quantized, Quantizer
from methods.core.registry import register
from methods.core.usage import UsageError, check_range
from methods.parts.estimators import straight_through
from methods.parts.kmeans import collect_rows, kmeans
from methods.parts.levels import split_size
from methods.parts.nearest import nearest_codes

_MOST_CANDIDATES = 1024
_CHUNK_ELEMENTS = 1 << 22
"""Elements of the widest tensor while candidates are found and tried: 16 MB in fp32."""


@register("qinco")
class QINCo(Quantizer):
    """Level m adds u_m(c; x̂), its codeword c adapted by a network to the sum x̂ of the levels before.

    Huijben et al., "Residual Quantization with Implicit Neural Codebooks", ICML 2024, arXiv 2401.14732, with the
    pre-selection of candidates, the beam search and the start of QINCo2 (Vallaeys et al., arXiv 2501.03078): the
    networks start as the identity, so that the first step is residual quantization. The codebook size is the product
    of the levels'.

    Args:
        depth: number of levels; the first is a plain codebook.
        hidden: hidden width of a residual block.
        blocks: residual blocks a level.
        candidates: how many codewords of a level are tried: those nearest to the residual in a second codebook
            that learns to predict the adapted ones. 0 tries all.
        beta: weight of the commitment loss.
        beam: how many prefixes are kept from level to level while codes are looked for, in training too; 32 in QINCo2.
    """

    card = Card(
        idea="each level's codewords are made by a network from a base codebook and what is decoded so far",
        paper='Huijben, Douze, Muckley, van Sloun, Verbeek, "Residual Quantization with Implicit Neural Codebooks", '
        "ICML 2024, arXiv 2401.14732",
        code="facebookresearch/Qinco, qinco_v1/model_qinco.py, QINCo, and qinco/model/qinco_base.py",
        trains="a codebook a level (K_j x D), from the second on a network (2D² + 2·blocks·D·hidden) and a codebook "
        "for pre-selection",
        memory="N·D + ΣK_j·D; candidates x max(2D, hidden) a latent, a chunk of latents at a time",
        differences=(
            "latents are those of an encoder that is trained too, by a straight-through estimator and a commitment "
            "loss; theirs are a fixed set of vectors, which need neither",
            "no normalisation of the latents, which are not fixed",
            "starts from k-means of the residuals, level by level; theirs from residual codebooks found by beam "
            "search, with noise",
            "beam 1 by default, as QINCo; no reset of unused codewords (QINCo2's)",
            "two residual blocks; QINCo has 2 to 16",
        ),
        evidence=(
            "QINCo (v1) without commitment, 10 Adam steps at three sizes: all 27,000 codes and all gradients are the "
            "same, decoded latents within 2.4e-7, loss 1.2e-7",
            "QINCo2's encoder (commit 5a32495, qinco1_mode) with beams 4 and 8, two to four levels, all and 8 or 16 "
            "candidates: the same codes for all 12,000 latents, decoded latents equal bit for bit",
            "QINCo2's QincoSubstep: the same 8 candidates of 64 in the same order for 2,000 latents, the same loss",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.1, 0.25, 1.0), below=(0.03, 0.01), above=(3.0, 10.0))
    added = ("beam",)
    initialised: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        depth: int = 2,
        hidden: int = 256,
        blocks: int = 2,
        candidates: int = 16,
        beta: float = 0.25,
        beam: int = 1,
    ) -> None:
        super().__init__(codebook_size, dim, depth=depth, candidates=candidates)
        check_range("hidden", hidden, 1)
        check_range("blocks", blocks, 0)
        check_range("beta", beta, 0)
        check_range("beam", beam, 1)
        self.beta = beta
        self.beam = beam
        self.first = nn.Parameter(torch.randn(self.level_sizes[0], dim))
        self.steps = nn.ModuleList(
            ImplicitCodebook(size, dim, hidden=hidden, blocks=blocks, candidates=candidates)
            for size in self.level_sizes[1:]
        )
        self.register_buffer("initialised", torch.tensor(False))

    @classmethod
    def resolve_size(
        cls, codebook_size: int, *, depth: int = 2, candidates: int = 16, **params: Any
    ) -> tuple[int, ...]:
        """One size a level, with the product asked for; at most 1,024 codewords of a level are tried."""
        check_range("candidates", candidates, 0)
        sizes = split_size(super().resolve_size(codebook_size)[0], depth)
        tried = max((min(candidates or size, size) for size in sizes[1:]), default=1)
        if tried > _MOST_CANDIDATES:
            raise UsageError(
                f"qinco passes each latent through its networks once a candidate, {tried:,} times a level here; at "
                f"most {_MOST_CANDIDATES:,} are declared: set candidates or a greater depth"
            )
        return sizes

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches, level by level on what the levels before leave over."""
        if self.initialised:
            return
        rows = collect_rows(latents, max(self.level_sizes))
        with torch.no_grad():
            levels: list[list[Tensor]] = [[self.first], *[step.codebooks() for step in self._steps()]]
            for codebooks in levels:
                centroids = kmeans(rows, codebooks[0].shape[0])
                rows = rows - centroids[nearest_codes(rows, centroids)]
                for codebook in codebooks:
                    codebook.copy_(centroids)
        self.initialised.fill_(True)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: Σ_m mean |x̂_m - sg z|² over all prefixes, the same of pre-selection, beta · mean |sg x̂ - z|²."""
        codes = self.encode(latents)
        quantized, loss = self._decode(codes, latents.detach())
        commitment = mse_loss(latents, quantized.detach())
        output = straight_through(latents, quantized) if self.training else quantized
        return Quantized(output, codes, loss + self.beta * commitment, {"commitment": commitment.detach()})

    @torch.no_grad()
    def encode(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, depth]``, chosen level by level among the candidates of the best prefixes."""
        rows = latents.reshape(-1, self.dim)
        kept = min(self.beam, len(self.first)) if self.steps else 1
        first = nearest_codes(rows, self.first)[:, None] if kept == 1 else nearest_candidates(rows, self.first, kept)
        codes, prefixes = first[..., None], self.first[first]
        for level, step in enumerate(self._steps(), 1):
            origins, chosen = step.choose(rows, prefixes, self.beam if level < len(self.steps) else 1)
            codes = torch.cat([_taken(codes, origins), chosen[..., None]], dim=-1)
            prefixes = _taken(prefixes, origins)
            prefixes = prefixes + step(chosen, prefixes)
        return codes.reshape(*latents.shape[:-1], -1)

    def decode(self, codes: Tensor) -> Tensor:
        """Sum of the levels' adapted codewords; a level of -1 adds nothing."""
        return self._decode(codes, None)[0]

    def _decode(self, codes: Tensor, target: Tensor | None) -> tuple[Tensor, Tensor]:
        """The last prefix ``[B, *positions, D]``, and the losses against ``target`` of all of them."""
        chosen = codes.unbind(-1)
        prefix = torch.where((chosen[0] >= 0)[..., None], self.first[chosen[0].clamp(min=0)], 0.0)
        loss = prefix.new_zeros(()) if target is None else mse_loss(prefix, target)
        for step, level in zip(self._steps(), chosen[1:], strict=True):
            indices = level.clamp(min=0)
            if target is not None:
                loss = loss + step.selection_loss(indices, prefix, target)
            prefix = prefix + torch.where((level >= 0)[..., None], step(indices, prefix), 0.0)
            if target is not None:
                loss = loss + mse_loss(prefix, target)
        return prefix, loss

    def _steps(self) -> "list[ImplicitCodebook]":
        return [step for step in self.steps if isinstance(step, ImplicitCodebook)]


class ImplicitCodebook(nn.Module):
    """One level: base codewords ``[K, D]`` and the network that adapts them to a prefix.

    u = c + A [c; x̂] (A linear with bias), then u ← u + W₂ relu(W₁ u) a block; A and W₂ start at zero.
    """

    def __init__(self, size: int, dim: int, *, hidden: int, blocks: int, candidates: int) -> None:
        super().__init__()
        self.candidates = candidates if 0 < candidates < size else 0
        self.width = max(2 * dim, hidden)
        self.codebook = nn.Parameter(torch.randn(size, dim))
        self.selector = nn.Parameter(torch.randn(size, dim)) if self.candidates else None
        self.concat = nn.Linear(2 * dim, dim)
        nn.init.zeros_(self.concat.weight)
        nn.init.zeros_(self.concat.bias)
        self.blocks = nn.ModuleList(_residual_block(dim, hidden) for _ in range(blocks))

    def codebooks(self) -> list[Tensor]:
        """The base codebook, and that of the pre-selection where there is one."""
        return [self.codebook] if self.selector is None else [self.codebook, self.selector]

    def forward(self, codes: Tensor, prefix: Tensor) -> Tensor:
        """Adapted codewords ``[..., D]`` of ``codes [...]`` for ``prefix [..., D]``."""
        adapted = self.codebook[codes]
        adapted = adapted + self.concat(torch.cat([adapted, prefix], dim=-1))
        for block in self.blocks:
            adapted = adapted + block(adapted)
        return adapted

    def choose(self, rows: Tensor, prefixes: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Of ``prefixes [N, F, D]`` and this level's codes the ``count`` pairs with sums nearest to ``rows [N, D]``.

        Places of the prefixes among the F, and codes, ``[N, count]`` each, or fewer where there are fewer pairs.
        """
        size = self.codebook.shape[0]
        tried, before = self.candidates or size, prefixes.shape[1]
        chunk = max(1, _CHUNK_ELEMENTS // (before * tried * self.width))
        count = min(count, before * tried)
        origins, codes = [], []
        for target, start in zip(rows.split(chunk), prefixes.split(chunk), strict=True):
            residual = (target[:, None] - start).flatten(0, 1)
            if self.selector is None:
                options = torch.arange(size, device=rows.device).expand(len(residual), size)
            else:
                options = nearest_candidates(residual, self.selector, tried)
            adapted = self(options, start.flatten(0, 1)[:, None].expand(-1, tried, -1))
            distances = (residual[:, None] - adapted).square().sum(2).reshape(len(target), -1)
            if count == 1:
                best = distances.argmin(1, keepdim=True)
            else:
                best = distances.topk(count, dim=1, largest=False).indices
            origins.append(best // tried)
            codes.append(options.reshape(len(target), -1).gather(1, best))
        return torch.cat(origins), torch.cat(codes)

    def selection_loss(self, codes: Tensor, prefix: Tensor, target: Tensor) -> Tensor:
        """Mean squared error of the pre-selection's codewords, for its training; 0 where there is none."""
        if self.selector is None:
            return target.new_zeros(())
        return mse_loss(prefix.detach() + self.selector[codes], target)


def _taken(kept: Tensor, origins: Tensor) -> Tensor:
    """Of ``kept [N, F, ...]`` the entries at ``origins [N, count]``."""
    return kept.gather(1, origins[..., None].expand(-1, -1, kept.shape[2]))


def _residual_block(dim: int, hidden: int) -> nn.Sequential:
    up, down = nn.Linear(dim, hidden, bias=False), nn.Linear(hidden, dim, bias=False)
    nn.init.kaiming_uniform_(up.weight, nonlinearity="relu")
    nn.init.zeros_(down.weight)
    return nn.Sequential(up, nn.ReLU(), down)


@torch.no_grad()
def nearest_candidates(latents: Tensor, codewords: Tensor, count: int) -> Tensor:
    """Codes ``[N, count]`` of the nearest of ``codewords [K, D]`` to each of ``latents [N, D]``, nearest first."""
    squared_norms = codewords.square().sum(1)
    found = [
        torch.addmm(squared_norms, rows, codewords.T, alpha=-2).topk(count, dim=1, largest=False).indices
        for rows in latents.split(max(1, _CHUNK_ELEMENTS // codewords.shape[0]))
    ]
    return torch.cat(found)
