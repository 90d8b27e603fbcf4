"""CVQ-VAE: codewords in little use move to anchors: latents of the whole batch, the same on every process."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_choice, check_range
from methods.parts.codebook import CodebookQuantizer, new_codebook, vq_loss
from methods.parts.estimators import straight_through
from methods.parts.nearest import nearest_codes
from methods.parts.processes import best_rows, broadcast, gather_rows
from methods.parts.recompute import by_chunks
from methods.parts.statistics import code_counts, count_rows, num_rows, random_rows

_TEMPERATURE = 0.07


@register("cvq_vae")
class CVQVAE(CodebookQuantizer):
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
    frequencies: Tensor
    anchored: Tensor

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
        super().__init__(codebook_size, dim)
        check_range("beta", beta, 0)
        check_choice("metric", metric, ("cosine", "euclidean"))
        check_choice("anchor", anchor, ("closest", "random", "probrandom"))
        check_range("decay", decay, 0, 0.99999)
        self.beta = beta
        self.metric = metric
        self.anchor = anchor
        self.decay = decay
        self.first_batch = first_batch
        self.contrastive = contrastive
        self.anchor_after_step = anchor_after_step
        self.codebook = nn.Parameter(new_codebook(self.codebook_size, dim, init))
        self.register_buffer("initialised", torch.tensor(init != "kmeans"))
        self.register_buffer("frequencies", torch.zeros(self.codebook_size))
        self.register_buffer("anchored", torch.tensor(False))
        self.pool = FeaturePool(self.codebook_size, dim) if anchor == "random" else None
        self._pending: Tensor | None = None

    @classmethod
    def can_be_shared(cls, *, anchor_after_step: bool = False, **params: Any) -> bool:
        """Unless codewords move after the step, with the latents of the last pass."""
        return not anchor_after_step

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches, for ``init="kmeans"``."""
        self.start_from_kmeans(latents)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: mean |q - sg z|² + beta · mean |sg q - z|², and the contrastive term in training."""
        codes = self.encode(latents)
        quantized = self.decode(codes)
        loss, log = vq_loss(latents, quantized, self.beta)
        if not self.training:
            return Quantized(quantized, codes, loss, log)
        rows = latents.detach().reshape(-1, self.dim)
        if self.contrastive:
            # The codebook moves before the backward pass; the copy does not.
            loss = loss + contrastive_loss(self.codebook.clone(), gather_rows(rows), self.metric)
        if self.anchor_after_step:
            self._pending = rows
        else:
            self._move(rows, codes.reshape(-1))
        return Quantized(straight_through(latents, quantized), codes, loss, log)

    def after_step(self) -> None:
        """Move with the new codebook, for ``anchor_after_step``."""
        if self._pending is not None:
            rows, self._pending = self._pending, None
            self._move(rows, self.encode(rows).squeeze(-1))

    @torch.no_grad()
    def _move(self, rows: Tensor, codes: Tensor) -> None:
        """Fold the codes ``[N]`` of ``rows [N, D]`` into the average use, and move codewords to their anchors."""
        uses = code_counts(codes, self.codebook_size) / num_rows(rows)
        self.frequencies.lerp_(uses, 1 - self.decay)
        if self.first_batch and self.anchored:
            return
        shift = torch.exp(-10 * self.codebook_size * self.frequencies / (1 - self.decay) - 1e-3)
        # A codeword in use has a shift of exactly zero, by underflow, and needs no anchor.
        moving = shift.nonzero().squeeze(1)
        shift = shift[moving, None]
        anchors = self._anchors(rows, moving)
        self.codebook[moving] = self.codebook[moving].mul_(1 - shift).add_(anchors.mul_(shift))
        self.anchored.fill_(True)

    def _anchors(self, rows: Tensor, moving: Tensor) -> Tensor:
        if self.pool is not None:
            return self.pool.update(rows)[moving]
        choose = closest_latents if self.anchor == "closest" else sampled_latents
        return choose(rows, self.codebook[moving], self.metric)


def contrastive_loss(codebook: Tensor, rows: Tensor, metric: str) -> Tensor:
    """Cross-entropy, a codeword, of its similar latents against its dissimilar ones, at temperature 0.07.

    The positive is the mean similarity of the max(1, N // K) most similar rows of ``[N, D]``, the negatives are
    the N // 2 least similar; only the ``codebook [K, D]`` gets a gradient.
    """
    positives, negatives = max(1, len(rows) // len(codebook)), len(rows) // 2

    def of_codewords(codewords: Tensor) -> tuple[Tensor]:
        similarities = similarity(codewords, rows, metric)
        positive = similarities.topk(positives, sorted=False).values.mean(1, keepdim=True)
        negative = similarities.topk(negatives, largest=False, sorted=False).values
        logits = torch.cat([positive, negative], dim=1) / _TEMPERATURE
        return (
            cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64, device=rows.device), reduction="none"),
        )

    (losses,) = by_chunks(of_codewords, codebook, width=len(rows))
    return losses.mean()


def similarity(codewords: Tensor, latents: Tensor, metric: str) -> Tensor:
    """``[K, N]`` of ``codewords [K, D]`` and ``latents [N, D]``: -|e - z|² (``euclidean``) or the cosine."""
    if metric == "cosine":
        return normalize(codewords, dim=1) @ normalize(latents, dim=1).T
    return 2 * codewords @ latents.T - codewords.square().sum(1)[:, None] - latents.square().sum(1)


@torch.no_grad()
def closest_latents(latents: Tensor, codewords: Tensor, metric: str) -> Tensor:
    """The latent of ``[N, D]`` most similar to each codeword: ``[K, D]``."""
    rows = latents[nearest_codes(codewords, latents, metric)]
    if metric == "cosine":
        return best_rows(rows, cosine_similarity(rows, codewords))
    return best_rows(rows, -(rows - codewords).square().sum(1))


@torch.no_grad()
def sampled_latents(latents: Tensor, codewords: Tensor, metric: str) -> Tensor:
    """For each codeword a latent drawn from the softmax of their similarities: ``[K, D]``."""
    latents = gather_rows(latents)
    levels = broadcast(torch.rand(codewords.shape[0], device=latents.device))

    def draw(codewords: Tensor, levels: Tensor) -> tuple[Tensor]:
        cumulative = similarity(codewords, latents, metric).softmax(1).cumsum(1)
        level = levels[:, None] * cumulative[:, -1:]
        return (torch.searchsorted(cumulative, level, right=True).squeeze(1).clamp(max=latents.shape[0] - 1),)

    (indices,) = by_chunks(draw, codewords, levels, width=latents.shape[0])
    return latents[indices]


class FeaturePool(nn.Module):
    """One latent a codeword, replaced by random ones of each batch; all at once where the batch is large enough.

    It starts at U(-1/K, 1/K) and fills from the front; once full, new latents take random places.
    """

    rows: Tensor
    filled: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.empty(size, dim).uniform_(-1 / size, 1 / size))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, latents: Tensor) -> Tensor:
        """Take in latents ``[N, D]`` of a batch and return the pool ``[K, D]``."""
        size, filled = self.rows.shape[0], int(self.filled)
        fresh = random_rows(latents, min(size, count_rows(latents)))
        empty = torch.arange(filled, min(size, filled + len(fresh)), device=latents.device)
        taken = broadcast(torch.randperm(size, device=latents.device))
        taken = taken[taken < filled][: len(fresh) - len(empty)]
        places = torch.cat([empty, taken])
        self.rows[places] = fresh[: len(places)]
        self.filled.fill_(filled + len(empty))
        return self.rows
