"""FVQ: a small vision transformer, the bridge, makes the codewords from a raw codebook laid out as an image."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import UsageError, check_range
from methods.parts.codebook import new_codebook
from methods.parts.entropy import ENTROPY_OPTIONS
from methods.parts.made_codebook import MadeCodebook, check_transformer


@register("fvq")
class FVQ(MadeCodebook):
    """VQ-VAE whose codewords are the output of a transformer over the codebook, so that a step moves all of them.

    Chang et al., "Scalable Training for Vector-Quantized Networks with 100% Codebook Utilization" (FVQ, VQBridge),
    ICLR 2026, arXiv 2509.10140. The raw codebook is a square image of D channels,
    cut in patches; the bridge ends in a layer of zeros without a skip, so that all codewords start at exactly 0
    and every latent takes code 0 in the first step. After training the bridge can be dropped: `codewords` are an
    ordinary codebook.

    Args:
        beta: weight of the commitment loss; the codebook loss has weight 1.
        patch: side of a patch; the side of the codebook, the root of K, must be a multiple of it.
        width: width of the transformer.
        depth: its blocks.
        heads: its attention heads.
        entropy_weight: weight of entropies, as in `vq_vae`.
        entropy_temperature: temperature of their soft assignment.
        entropy_start: that weight in the first step, in multiples of it.
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="a vision transformer over the raw codebook makes the codewords, so that every step moves all of them",
        paper='Chang, Qin, Qiao, Wang, Zhu, Ma, Wang, "Scalable Training for Vector-Quantized Networks with 100% '
        'Codebook Utilization", ICLR 2026, arXiv 2509.10140',
        code="yfChang-cv/FVQ, tokenizer/tokenizer_image/vq_model_qbridge_release.py and qbridge_ViT.py",
        trains="raw codebook (K x D) and the bridge (by default 2 blocks of width 256)",
        memory="N·D + K·D + K/patch²·width",
        schedule="nothing of its own: what the paper calls learning annealing is that of the learning rate, here the "
        "run's `training.schedule`, and nothing else is annealed in the authors' code",
        differences=(
            "the learning rate is the suite's, the same for all methods; theirs (`sche_type` lin) rises from 0.005 of "
            "its value over the first tenth of the run (4 of 40 epochs), stays for 30 % of the rest and falls in a "
            "straight line to 0.01 of it, to which `schedule: linear` with a warm-up of a tenth is nearest",
            "fp32; theirs trains in bf16",
        ),
        evidence=(
            "VectorQuantizer with QBridge-L/4 at three sizes, their weights through Adam steps: where all codes agree "
            "(21 of 30 steps), output within 4.3e-6 and all gradients within 3.5e-7; 33 of 15,360 codes differ, all in "
            "the first steps from the start at 0, where codewords hardly differ",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.1, 0.25, 1.0), below=(0.03, 0.01), above=(3.0, 10.0))
    added = ENTROPY_OPTIONS
    max_codebook_size_cpu = 65_536
    """Attention over K / 16 tokens: with N = 6,272 and D = 64 a step takes one core 3.5 s at this size, and sixteen
    times the attention at the next, 262,144."""

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.25,
        patch: int = 4,
        width: int = 256,
        depth: int = 2,
        heads: int = 4,
        entropy_weight: float = 0.0,
        entropy_temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        super().__init__(codebook_size, dim, patch=patch, entropy_weight=entropy_weight)
        self.set_entropy(entropy_weight, entropy_temperature, entropy_start, entropy_share)
        check_range("beta", beta, 0)
        check_transformer(width, depth, heads)
        self.beta = beta
        self.codebook = nn.Parameter(new_codebook(self.codebook_size, dim, "uniform"))
        self.bridge = Bridge(dim, patch=patch, width=width, depth=depth, heads=heads)

    @classmethod
    def resolve_size(cls, codebook_size: int, *, patch: int = 4, **params: Any) -> tuple[int, ...]:
        """The size asked for, which must be the square of a multiple of ``patch``."""
        check_range("patch", patch, 1)
        sizes = super().resolve_size(codebook_size, **params)
        side = round(codebook_size**0.5)
        if side**2 != codebook_size or side % patch:
            near = max(1, round(side / patch)) * patch
            raise UsageError(
                f"fvq needs a codebook size that is the square of a multiple of patch={patch}, such as {near**2:,}, "
                f"not {codebook_size:,}"
            )
        return sizes

    def effective_codebook(self) -> Tensor:
        """The codewords that the bridge makes of the raw codebook."""
        return self.bridge(self.codebook)


class Bridge(nn.Module):
    """Vision transformer from a codebook ``[K, D]`` to one of the same shape, without position embedding."""

    def __init__(self, dim: int, *, patch: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(patch * patch * dim, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.out = nn.Linear(width, patch * patch * dim)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.out.weight)

    def forward(self, codebook: Tensor) -> Tensor:
        """Codebook row r · side + c is the pixel (r, c) of an image that is cut in patches."""
        size, dim = map(int, codebook.shape)  # tensors, where it is traced
        side = round(size**0.5)
        grid = (side // self.patch, self.patch, side // self.patch, self.patch, dim)
        patches = codebook.reshape(grid).transpose(1, 2).reshape(-1, self.patch * self.patch * dim)
        tokens = self.out(self.norm(self.blocks(self.embed(patches))))
        swapped = (grid[0], grid[2], self.patch, self.patch, dim)
        return tokens.reshape(swapped).transpose(1, 2).reshape(size, dim)


class Block(nn.Module):
    """Pre-norm transformer block over tokens ``[T, width]``, with an MLP of twice the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(approximate="tanh"), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Attention and MLP, each with a skip."""
        count, width = tokens.shape
        query, key, value = self.qkv(self.norm(tokens)).reshape(1, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.project(attended.transpose(1, 2).reshape(count, width))
        return tokens + self.mlp(self.norm(tokens))
