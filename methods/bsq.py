"""BSQ: the code is the signs of log2 K channels on the unit sphere, with entropies that factorise over bits."""

from torch import Tensor
from torch.nn.functional import normalize

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.entropy import bit_entropies, entropy, fall, mean_bit_probabilities
from methods.parts.estimators import scale_gradient, straight_through
from methods.parts.projection import BinaryQuantizer

_EPSILON = 1e-8


@register("bsq")
class BSQ(BinaryQuantizer):
    """The projected latent is put on the unit sphere, each channel replaced by its sign over √d.

    Zhao, Xiong, Krähenbühl, "Image and Video Tokenization with Binary Spherical Quantization", arXiv
    2406.07548. Sizes are powers of two. The entropy of the mean assignment is taken bit by bit, an
    upper bound of the joint one; that of each latent's assignment factorises exactly.

    Args:
        beta: commitment loss within the quantizer's loss; 0 in the authors' configurations.
        loss_weight: weight of the whole loss at the end of its ramp.
        ramp_start: factor on the weight at the first step, falling to 1 in a straight line.
        ramp_share: length of that ramp as a share of the run; 0 for none. By default the authors' 2,000 of 1,000,000
            steps (all their configurations of BSQ, configs/tokenizer).
    """

    card = Card(
        idea="the code is the signs of log2 K channels on the unit sphere; entropies are sums over bits",
        paper='Zhao, Xiong, Krähenbühl, "Image and Video Tokenization with Binary Spherical Quantization", ICLR 2025, '
        "arXiv 2406.07548",
        code="zhaoyue-zephyrus/bsq-vit, transcoder/models/quantizer/bsq.py, BinarySphericalQuantizer",
        trains="projections D x log2 K and log2 K x D; no codebook",
        memory="N·log2 K",
        schedule="the weight of the loss falls in a straight line from 3 times its final value to that over the first "
        "0.2 % of the run (`ramp_share`), which in fewer than 500 steps is the first step alone",
        differences=(
            "the ramp of the weight is a share of the run, 2,000 / 1,000,000; theirs 2,000 steps of their 1,000,000",
            "bit j is worth 2^j; the authors' first channel is the highest bit",
            "the mean over the batch is that of all processes; theirs is each process's own",
            "owns linear projections from D to the log2 K channels and back, as the authors' model does",
        ),
        evidence=(
            "the authors' code (group size 1, analytic entropies, their configurations of 18 and 36 bits) on 1,024 "
            "latents of 10, 16 and 18 bits: output within 3e-8, codes equal, loss within 5e-7, gradients within 1.2e-7",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("loss_weight", (0.03, 0.1, 0.3), below=(0.01, 0.003), above=(1.0, 3.0))
    version = 2
    smallest_size = 4
    """On a sphere of one dimension, the points 1 and -1, there is no gradient."""

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.0,
        loss_weight: float = 0.1,
        ramp_start: float = 3.0,
        ramp_share: float = 0.002,
    ) -> None:
        for name, value in (("beta", beta), ("loss_weight", loss_weight), ("ramp_start", ramp_start)):
            check_range(name, value, 0)
        check_range("ramp_share", ramp_share, 0, 1)
        super().__init__(codebook_size, dim)
        self.magnitude = self.inner_dim**-0.5
        self.beta = beta
        self.loss_weight = loss_weight
        self.ramp_start = ramp_start
        self.ramp_share = ramp_share
        self.weight = loss_weight

    def anneal(self, step: int, total_steps: int) -> None:
        """The weight of the loss: from ``ramp_start`` times its end value to that, over ``ramp_share`` of the run."""
        self.weight = self.loss_weight * fall(step, total_steps, self.ramp_start, self.ramp_share)

    def forward(self, latents: Tensor) -> Quantized:
        """beta · mean Σ_d (sg q - u)²; in training also the entropies in nats. The gradient is scaled by 1/√d."""
        unit = normalize(self.project_in(latents), dim=-1)
        codes = self.assign(unit)
        quantized = self.look_up(codes)
        commitment = (quantized - unit).square().sum(-1).mean()
        loss, log = self.beta * commitment, {"commitment": commitment.detach()}
        output = quantized
        if self.training:
            sample, codebook = self.entropies(unit.reshape(-1, self.inner_dim))
            loss = loss + sample - codebook
            log |= {"sample_entropy": sample.detach(), "codebook_entropy": codebook.detach()}
            output = straight_through(scale_gradient(unit, self.magnitude), quantized)
        return Quantized(self.project_out(output), codes.unsqueeze(-1), self.weight * loss, log)

    def entropies(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Mean entropy of the soft assignments of unit vectors ``[N, d]``, and the sum of the mean bits' entropies."""
        # A softmax of 2 u·c over all codewords c makes bit j a sigmoid of 4 u_j / √d, independent of the others.
        logits = 4 * self.magnitude * unit
        mean = mean_bit_probabilities(logits)
        codebook = entropy(mean, _EPSILON) + entropy(1 - mean, _EPSILON)
        return bit_entropies(logits).sum(-1).mean(), codebook
