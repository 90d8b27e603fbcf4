"""TransVQ: a small transformer over a frozen random codebook makes the codewords."""

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.entropy import ENTROPY_OPTIONS
from methods.parts.made_codebook import MadeCodebook, check_transformer

_EPSILON = 1e-6


@register("trans_vq")
class TransVQ(MadeCodebook):
    """`simvq` with a transformer with linear attention over all codewords in place of its map.

    Lu et al., "Beyond Stationarity: Rethinking Codebook Collapse in Vector Quantization", arXiv 2602.18896: where the
    encoder moves, every codeword should follow, chosen or not. Their other method, NS-VQ, is not here; neither is kin
    of `nsvq`.

    Args:
        beta: weight of the commitment loss; the codebook loss has weight 1.
        width: width of the transformer.
        depth: its blocks.
        heads: its attention heads.
        mlp_ratio: width of the MLP of a block, in widths of the transformer.
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="SimVQ with a transformer with linear attention over the frozen codebook in place of its map",
        paper='Lu, Koyun, Guo, Zhu, Alili, Gurcan, "Beyond Stationarity: Rethinking Codebook Collapse in Vector '
        'Quantization", arXiv 2602.18896',
        code="CAIR-LAB-WFUSM/NS-VQ-TransVQ, NS_Trans_VQ_ImageNet/ldm/modules/transVQ.py, SimVQ with "
        "CodebookTransformer",
        trains="transformer (by default 1 block of width 256) and a place embedding (K x width); the codebook C "
        "(K x D) is frozen",
        memory="N·D + K·(D + width)",
        schedule="nothing by default; `entropy_start` falls to 1 over `entropy_share` of the run",
        differences=(
            "dropout, which the authors set to 0, and sinusoidal places, which they do not use, are left out",
            "decode looks up the made codewords; the authors' indices_to_codes gives the transformer the chosen rows "
            "of C alone, which it takes for the first of the codebook",
        ),
        evidence=(
            "the authors' SimVQ with CodebookTransformer (commit c7ab8a7, rotation off, as they set it), ten steps "
            "of SGD on 400 latents each at K = 256, D = 16; K = 100, D = 8, four heads, two blocks; K = 1,024, D = 64: "
            "all 12,000 codes equal; output and made codebook within 8.4e-7, loss 4.5e-8, gradients and weights 1.5e-7",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.1, 0.25, 1.0), below=(0.03, 0.01), above=(3.0, 10.0))
    added = ENTROPY_OPTIONS
    codebook: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.25,
        width: int = 256,
        depth: int = 1,
        heads: int = 1,
        mlp_ratio: float = 2.0,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        super().__init__(codebook_size, dim, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        check_range("beta", beta, 0)
        check_transformer(width, depth, heads)
        check_range("mlp_ratio", mlp_ratio, 1 / width)
        self.beta = beta
        self.register_buffer("codebook", torch.randn(self.codebook_size, dim) * dim**-0.5)
        self.project_in = nn.Linear(dim, width, bias=False)
        self.places = nn.Parameter(torch.randn(self.codebook_size, width))
        self.blocks = nn.Sequential(*[Block(width, heads, int(mlp_ratio * width)) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.project_out = nn.Linear(width, dim, bias=False)

    def unmapped_codewords(self) -> Tensor:
        """The rows of C."""
        return self.codebook

    def effective_codebook(self) -> Tensor:
        """The codewords that the transformer makes of C; each depends on all rows."""
        return self.project_out(self.norm(self.blocks(self.project_in(self.codebook) + self.places)))


class Block(nn.Module):
    """Pre-norm transformer block over tokens ``[K, width]``."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = LinearAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Attention and MLP, each with a skip."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))


class LinearAttention(nn.Module):
    """Attention with phi(q)·phi(k), phi = elu + 1, for the exponential of q·k: time and memory linear in tokens.

    Katharopoulos et al., "Transformers are RNNs", ICML 2020.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Of every token ``[K, width]`` to all."""
        split = (len(tokens), self.heads, -1)
        query, key = (elu(map_(tokens)).add(1).reshape(split) for map_ in (self.query, self.key))
        value = self.value(tokens).reshape(split)
        weighted = torch.einsum("khi,khj->hij", key, value)
        total = torch.einsum("khi,hi->kh", query, key.sum(0))
        attended = torch.einsum("khi,hij->khj", query, weighted) / (total + _EPSILON)[..., None]
        return self.out(attended.reshape(tokens.shape))
