"""OptVQ: in training latents are assigned to codes by optimal transport, so that every code gets its share."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_choice, check_range
from methods.parts.codebook import CodebookQuantizer, new_codebook, vq_loss
from methods.parts.estimators import straight_through
from methods.parts.processes import all_reduce, all_reduce_min
from methods.parts.recompute import chunk_elements
from methods.parts.statistics import count_rows

_KEPT_ELEMENTS = 1 << 25
"""Distances that are computed once and kept, not anew in each pass: up to 128 MB in fp32."""
_GUARD = 1e-8
"""Added to every sum that is divided by; it leaves codewords without any near latent nearly empty (OptVQ)."""


@register("optvq")
class OptVQ(CodebookQuantizer):
    """Training codes are the argmax of a Sinkhorn plan between batch and codebook; codewords are C·Wᵀ + b.

    Zhang, Zheng, Zhou, Lu, "Preventing Local Pitfalls in Vector Quantization via Optimal Transport",
    arXiv 2412.15195. `encode` and eval mode take the nearest codeword: codes then depend on no other latent.
    `balanced_codes` gives those of a batch by the plan.

    Args:
        beta: weight of the commitment loss.
        codebook_weight: weight of the codebook loss.
        epsilon: how sharp the plan is: kernel exp(-epsilon · standardised distance).
        iterations: Sinkhorn iterations; 0 leaves the nearest codeword.
        init: start of C: ``normal`` N(0, 1), or ``kmeans`` of the first batches' latents.
    """

    card = Card(
        idea="in training a balanced transport plan assigns the batch, so that every code gets its share of latents",
        paper='Zhang, Zheng, Zhou, Lu, "Preventing Local Pitfalls in Vector Quantization via Optimal Transport", '
        "arXiv 2412.15195",
        code="zbr17/OptVQ, src/optvq/models/quantizer.py, VectorQuantizerSinkhorn",
        trains="codebook (K x D) and map (D x D and bias)",
        memory="N·D + K·D; distances a chunk at a time",
        differences=(
            "eval mode and `encode` take the nearest codeword; the authors assign by the plan in eval too, where a "
            "latent's code depends on its batch",
            "one head; the authors cut a latent in 4 heads that share the codebook (4 codes a position)",
            "distances are standardised over all processes; theirs over each process's own rows",
            "the first step starts from N(0, 1) or k-means of latents; their k-means is one of each image class",
        ),
        evidence=(
            "VectorQuantizerSinkhorn (l2 loss, argmax), 10 Adam steps at three sizes: all 15,360 training codes "
            "are the same, 59 % of them not the nearest; output within 9.6e-7, gradients 2.1e-7, codewords 4.8e-7",
            "the authors' sinkhorn on the same latents, with its rows scaled to sum to 1: plan within 3.1e-6",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("epsilon", (3.0, 10.0, 30.0), below=(1.0,), above=(100.0, 300.0))
    one_graph = False
    max_codebook_size_cpu = 4096
    """Six passes over N x K distances a step: for N = 6,272 and D = 64 one core needs 0.7 s at this size, 4.5 s at
    16,384."""

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 1.0,
        codebook_weight: float = 0.25,
        epsilon: float = 10.0,
        iterations: int = 5,
        init: str = "normal",
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("beta", beta, 0)
        check_range("codebook_weight", codebook_weight, 0)
        check_range("epsilon", epsilon, 0)
        check_range("iterations", iterations, 0)
        check_choice("init", init, ("normal", "kmeans"))
        self.beta, self.codebook_weight = beta, codebook_weight
        self.epsilon, self.iterations = epsilon, iterations
        self.codebook = nn.Parameter(new_codebook(self.codebook_size, dim, init))
        self.map = nn.Linear(dim, dim)
        nn.init.normal_(self.map.weight, std=dim**-0.5)
        self.register_buffer("initialised", torch.tensor(init != "kmeans"))

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches as C, for ``init="kmeans"``."""
        self.start_from_kmeans(latents)

    def effective_codebook(self) -> Tensor:
        """C mapped: ``C Wᵀ + b``."""
        return self.map(self.codebook)

    @torch.no_grad()
    def balanced_codes(self, latents: Tensor) -> Tensor:
        """Codes ``[B, *positions, 1]`` of the argmax of the plan between these latents and the codebook."""
        plan = SinkhornPlan(
            latents.reshape(-1, self.dim),
            self.effective_codebook(),
            epsilon=self.epsilon,
            iterations=self.iterations,
        )
        return plan.codes().reshape(*latents.shape[:-1], 1)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: beta · mean |sg q - z|² + codebook_weight · mean |q - sg z|²."""
        if not self.training:
            codes = self.encode(latents)
            output = quantized = self.decode(codes)
        else:
            codes = self.balanced_codes(latents)
            quantized = self.map(self.codebook[codes.squeeze(-1)])
            output = straight_through(latents, quantized)
        loss, log = vq_loss(latents, quantized, self.beta, self.codebook_weight)
        return Quantized(output, codes, loss, log)


class SinkhornPlan:
    """Plan Q = diag(u) exp(-epsilon · c) diag(v) between latents ``[N, D]`` and codewords ``[K, D]``.

    c is the Euclidean distance over its standard deviation within the whole batch, less its minimum. Each
    code is to get 1/K of the mass and each latent gives 1/N; the last iteration ends with the latents, so that theirs
    is exact. All sums are over all processes, and no N x K tensor is held beyond `_KEPT_ELEMENTS` (Zhang et al., arXiv
    2412.15195; Cuturi 2013).
    """

    @torch.no_grad()
    def __init__(self, latents: Tensor, codewords: Tensor, *, epsilon: float, iterations: int) -> None:
        self._latents, self._codewords = latents.detach().float(), codewords.detach().float()
        self._sizes = count_rows(latents), codewords.shape[0]
        self._kept = list(self._distances()) if latents.shape[0] * codewords.shape[0] <= _KEPT_ELEMENTS else None
        shift, scale = self._standardise()
        self._shift, self._slope = shift, -epsilon / scale
        self.log_v = self._iterate(iterations)

    def codes(self) -> Tensor:
        """The code ``[N]`` with most of each latent's mass."""
        return torch.cat([log_plan.argmax(1) for log_plan in self._log_plans(self.log_v)])

    def shares(self) -> Tensor:
        """What share of each latent's mass goes to each code: ``[N, K]``, for small batches."""
        return torch.cat([torch.softmax(log_plan, 1) for log_plan in self._log_plans(self.log_v)])

    def _distances(self) -> Iterator[Tensor]:
        size = max(1, chunk_elements(self._latents.device) // self._sizes[1])
        for rows in self._latents.split(size):
            yield torch.cdist(rows, self._codewords)

    def _standardise(self) -> tuple[Tensor, Tensor]:
        """Minimum and standard deviation of all distances."""
        device = self._latents.device
        moments = torch.zeros(2, dtype=torch.float64, device=device)
        smallest = torch.full((), torch.inf, device=device)
        for distances in self._kept or self._distances():
            moments += torch.stack([distances.sum(dtype=torch.float64), distances.double().square().sum()])
            smallest = torch.minimum(smallest, distances.min())
        total, squares = all_reduce(moments)
        count = self._sizes[0] * self._sizes[1]
        variance = (squares - total.square() / count).clamp(min=0) / max(count - 1, 1)
        return all_reduce_min(smallest), variance.sqrt().float() + 1e-6

    def _log_plans(self, log_v: Tensor) -> Iterator[Tensor]:
        """log(exp(-epsilon · c) diag(v)), ``[rows, K]`` a chunk of latents, free to be written into."""
        offset = log_v - self._shift * self._slope
        for distances in self._kept or self._distances():
            yield (distances * self._slope).add_(offset)

    def _iterate(self, iterations: int) -> Tensor:
        """log v ``[K]`` after the given number of iterations."""
        size = self._sizes[1]
        mass = torch.zeros(size, dtype=torch.float64, device=self._latents.device)
        log_u: list[Tensor] = []
        for log_plan in self._log_plans(torch.zeros(size, device=mass.device)):
            mass += log_plan.exp_().sum(0)
            log_u.append(torch.zeros_like(log_plan[:, :1]))
        log_v = -(all_reduce(mass).sum() + _GUARD).log().expand(size)
        mass *= log_v.exp()
        for iteration in range(iterations):
            log_v = log_v - ((mass + _GUARD) * size).log()
            if iteration < iterations - 1:
                mass = self._give_equal_mass(log_u, log_v.float())
        return log_v.float()

    def _give_equal_mass(self, log_u: list[Tensor], log_v: Tensor) -> Tensor:
        """Scale each latent, in ``log_u``, to a mass of 1/N; returns the mass of each code ``[K]`` after that."""
        mass = torch.zeros_like(log_v, dtype=torch.float64)
        for chunk, log_plan in enumerate(self._log_plans(log_v)):
            plan = log_plan.add_(log_u[chunk]).exp_()
            scale = (plan.sum(1) + _GUARD) * self._sizes[0]
            log_u[chunk] = log_u[chunk] - scale.log()[:, None]
            mass += scale.reciprocal() @ plan
        return all_reduce(mass)
