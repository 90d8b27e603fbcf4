"""CVQ-VAE: codewords in little use move to anchors: latents of the whole batch, the same on every process."""

from typing import Any

from torch import Tensor

from methods.core.base import Card, Knob
from methods.core.registry import register
from methods.core.usage import check_choice
from methods.parts.anchors import contrastive_loss
from methods.parts.processes import gather_rows
from methods.vq_vae import VQVAE


@register("cvq_vae")
class CVQVAE(VQVAE):
    """Each step a codeword moves to its anchor by exp(-10·K·p / (1 - decay) - 0.001), p its average use.

    Zheng and Vedaldi, "Online Clustered Codebook", ICCV 2023, arXiv 2307.15139, Eq. 3-5. With the default decay a
    codeword that drew nothing moves by 0.999 of the way, one with 0.5 % of its share 1/K by 0.007, one in use
    not at all.

    Args:
        beta: weight of the commitment loss; the codebook loss has weight 1.
        metric: ``cosine`` or ``euclidean``, for codes and anchors; the output is the codeword as it is.
        anchor: ``closest`` latent of the batch, ``random`` from a pool of latents, or ``probrandom``: drawn from the
            softmax over the latents of their similarity to the codeword.
        decay: decay of the average use; it also scales how little use a codeword moves at.
        first_batch: codewords move in the first training step only (the paper's offline version).
        contrastive: add the contrastive term: the most similar latents of a codeword against the less similar half.
        anchor_after_step: move after the optimiser's step, with the codes of the codebook that came out of it.
        init: start of the codebook: ``uniform`` U(-1/K, 1/K), ``unit_uniform`` U(-1, 1), ``normal`` N(0, 1), or
            ``kmeans`` of the first batches' latents.
    """

    card = Card(
        idea="codewords in little use move to latents of the batch",
        paper='Zheng, Vedaldi, "Online Clustered Codebook", ICCV 2023, arXiv 2307.15139',
        code="lyndonzheng/CVQ-VAE, quantise.py, VectorQuantiser",
        trains="codebook (K x D), by the run's optimiser and by moves to anchors",
        memory="N·D + K·D",
        schedule="nothing is annealed, and codewords move to anchors up to the last step; the average use looks back "
        "over 1 / (1 - decay) steps, by default 100, as an unused codeword is known by how many latents could have "
        "chosen it (100·N/K), however long the run",
        differences=(
            "a pool that a batch overfills keeps the rest in random places; theirs raises an error",
            "a pool smaller than the batch draws without replacement; theirs with replacement",
            "the pool and whether the first batch is past are saved; theirs are not",
            "average use and anchors are those of the whole batch on every process; theirs are each process's own",
            "the contrastive term's gradient is that of the codebook it was computed with; with cosine, theirs is "
            "taken after the move to the anchors and is off by up to 0.03",
        ),
        evidence=(
            "authors' VectorQuantiser, 30 random states, both metrics, all anchors, K = 96, D = 16: the same codes and "
            "outputs, loss within 4.8e-7, gradients 3.7e-9, codebook after the move and an Adam step 2.4e-7",
            "contrastive term there: loss within 4.8e-7; gradient within 1.7e-7 where no codeword moves",
            "Wasserstein-VQ's mean-shift study, online arm, shift 2, with its draws: error, usage and perplexity "
            "10.7808, 4.70 % and 47.89 at step 0 and 6.0853, 9.75 % and 34.95 at step 1, as published; 1.5732, "
            "41.54 % and 3,939 at step 100, published 1.5745, 41.51 % and 3,933",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (0.1, 0.25, 1.0), below=(0.03, 0.01), above=(3.0, 10.0))
    own_upkeep = "cvq"

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 0.25,
        metric: str = "cosine",
        anchor: str = "closest",
        decay: float = 0.99,
        first_batch: bool = False,
        contrastive: bool = False,
        anchor_after_step: bool = False,
        init: str = "uniform",
    ) -> None:
        anchors = {"anchor": anchor, "decay": decay, "first_batch": first_batch, "after_step": anchor_after_step}
        super().__init__(codebook_size, dim, beta=beta, init=init, upkeep=self.own_upkeep, upkeep_params=anchors)
        check_choice("metric", metric, ("cosine", "euclidean"))
        self.metric = metric
        self.contrastive = contrastive

    @classmethod
    def can_be_shared(cls, *, anchor_after_step: bool = False, **params: Any) -> bool:
        """Unless codewords move after the step, with the latents of the last pass."""
        return not anchor_after_step

    def losses(self, latents: Tensor, quantized: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean |q - sg z|² + beta · mean |sg q - z|², and the contrastive term in training."""
        loss, log = super().losses(latents, quantized)
        if self.contrastive and self.training:
            # The codebook moves before the backward pass; the copy does not.
            rows = gather_rows(latents.detach().reshape(-1, self.dim))
            loss = loss + contrastive_loss(self.codebook.clone(), rows, self.metric)
        return loss, log
