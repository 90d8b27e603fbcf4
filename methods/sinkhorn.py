"""Balanced assignment of a batch to a codebook by a few Sinkhorn iterations, never an N x K tensor in memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

from methods.recompute import chunk_elements
from methods.statistics import all_reduce, all_reduce_min, count_rows

_KEPT_ELEMENTS = 1 << 25
"""Distances that are computed once and kept, not anew in each pass: up to 128 MB in fp32."""
_GUARD = 1e-8
"""Added to every sum that is divided by; it leaves codewords without any near latent nearly empty (OptVQ)."""


class SinkhornPlan:
    """Plan Q = diag(u) exp(-epsilon · c) diag(v) between latents ``[N, D]`` and codewords ``[K, D]``.

    c is the Euclidean distance over its standard deviation within the whole batch, less its minimum. Codes shall
    draw 1/K of the mass each and latents give 1/N each; of the two the last iteration ends with the latents. All
    sums are over all processes (Zhang et al., arXiv 2412.15195; Cuturi 2013).
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
