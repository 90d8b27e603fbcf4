"""LFQ: the code is the signs of log2 K channels, spread over all codes by an entropy loss."""

from torch import Tensor
from torch.nn.functional import mse_loss

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.entropy import bit_entropies, entropy, fall, mean_code_probabilities
from methods.parts.estimators import straight_through
from methods.parts.projection import BinaryQuantizer

_EPSILON = 1e-5


@register("lfq")
class LFQ(BinaryQuantizer):
    """Each channel is replaced by its sign; an entropy loss makes each latent sure and the batch diverse.

    Yu et al., "Language Model Beats Diffusion - Tokenizer is Key to Visual Generation", ICLR 2024,
    arXiv 2310.05737. Sizes are powers of two. The entropy of the mean is that of the joint
    distribution over all K codes, exactly, without an N x K tensor (`mean_code_probabilities`).

    Args:
        commitment_weight: weight of the commitment loss.
        entropy_weight: weight of the mean entropy of a latent's soft assignment minus the entropy of
            the mean assignment.
        temperature: the soft assignment is a softmax of 2 z·c / temperature over all codewords c.
        entropy_start: the entropies' weight in the first step, in multiples of ``entropy_weight`` (4 by default in the
            authors' code, 1 in their configurations).
        entropy_share: share of the run in which it falls to 1.
    """

    card = Card(
        idea="the code is the signs of log2 K channels; an entropy loss spreads the codes",
        paper='Yu et al., "Language Model Beats Diffusion - Tokenizer is Key to Visual Generation", ICLR 2024, '
        "arXiv 2310.05737",
        code="TencentARC/SEED-Voken, src/Open_MAGVIT2/modules/vqvae/lookup_free_quantize.py, LFQ",
        trains="projections D x log2 K and log2 K x D; no codebook",
        memory="N·√K + K",
        schedule="nothing by default; `entropy_start` falls to 1 over `entropy_share` of the run",
        differences=(
            "owns linear projections from D to the log2 K channels and back, where the authors let encoder and decoder "
            "have log2 K channels",
            "the mean over codes is a product of two halves of the bits instead of an N x K softmax: same value",
            "the mean over codes is that of all processes; theirs is each process's own",
        ),
        evidence=(
            "the authors' code on 1,024 latents at K = 64, 1,024, 4,096 and 16,384: output and codes equal, loss "
            "within 9e-7, entropies within 1.4e-5 of 9.2 nats, gradients of the loss within 9e-7 of 0.013",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("entropy_weight", (0.02, 0.1, 0.5), below=(0.005,), above=(2.0,))
    added = ("entropy_start", "entropy_share")
    # The mean over all codes costs N·K multiplications: a step of 6,272 latents takes 0.75 s at 2^18 and 2.5 s at 2^20
    # on one CPU core. The authors' largest is 2^18.
    max_codebook_size = 1 << 20
    max_codebook_size_cpu = 1 << 18

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        commitment_weight: float = 0.25,
        entropy_weight: float = 0.1,
        temperature: float = 0.01,
        entropy_start: float = 1.0,
        entropy_share: float = 0.002,
    ) -> None:
        check_range("commitment_weight", commitment_weight, 0)
        check_range("entropy_weight", entropy_weight, 0)
        check_range("temperature", temperature, 1e-6)
        check_range("entropy_start", entropy_start, 0)
        check_range("entropy_share", entropy_share, 0, 1)
        super().__init__(codebook_size, dim)
        self.commitment_weight = commitment_weight
        self.entropy_weight = entropy_weight
        self.temperature = temperature
        self.entropy_start, self.entropy_share, self.factor = entropy_start, entropy_share, 1.0

    def anneal(self, step: int, total_steps: int) -> None:
        """The fall of the entropies' weight."""
        self.factor = fall(step, total_steps, self.entropy_start, self.entropy_share)

    def forward(self, latents: Tensor) -> Quantized:
        """Commitment loss; in training also the entropies, in nats."""
        inner = self.project_in(latents)
        codes = self.assign(inner)
        signs = self.look_up(codes)
        commitment = mse_loss(inner, signs)
        loss, log = self.commitment_weight * commitment, {"commitment": commitment.detach()}
        if self.training:
            sample, codebook = self.entropies(inner.reshape(-1, self.inner_dim))
            loss = loss + self.factor * self.entropy_weight * (sample - codebook)
            log |= {"sample_entropy": sample.detach(), "codebook_entropy": codebook.detach()}
        output = straight_through(inner, signs) if self.training else signs
        return Quantized(self.project_out(output), codes.unsqueeze(-1), loss, log)

    def entropies(self, inner: Tensor) -> tuple[Tensor, Tensor]:
        """Mean entropy of the soft assignments of ``[N, d]``, and the entropy of their mean."""
        # A softmax of 2 z·c / t over all sign patterns c makes bit j a sigmoid of 4 z_j / t, independent of the others.
        logits = 4 * inner / self.temperature
        return bit_entropies(logits).sum(-1).mean(), entropy(mean_code_probabilities(logits), _EPSILON)
