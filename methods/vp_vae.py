"""VP-VAE: no codebook in training, but noise as large as the error that one would make; k-means makes it afterwards."""

from typing import Any, Self

import torch
from torch import Tensor

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.kmeans import kmeans, spread_rows
from methods.parts.moments import moment_penalty
from methods.parts.nearest import nearest_codes
from methods.parts.processes import alone, gather_rows
from methods.parts.projection import ProjectedQuantizer

_SMALLEST_CHANCE = 1e-6
_DISTANCES = 1 << 25
"""Distances from latents to the queue that are held at a time."""


@register("vp_vae")
class VPVAE(ProjectedQuantizer):
    """Training moves each latent within the ball that holds a K-th of the recent latents; there is no codebook.

    Zhai et al., "VP-VAE: Rethinking Vector Quantization via Adaptive Vector Perturbation", arXiv 2602.17133. A move is
    uniform in the ball around the latent that reaches to its (16·d)-th neighbour in a queue of 16·d·K latents, and is
    made or not by the rule of Metropolis and Hastings, with the distance to a near neighbour for the density, so that
    latents stay distributed as they are. On the way to eval mode the codebook becomes the k-means centroids of the
    queue, from a seed of its own. In training codes are -1.

    Args:
        code_dim: dimension d in which latents are moved and quantized.
        eta: factor on the radius of the ball.
        latents_per_codeword: latents in the queue for each codeword and dimension; a ball holds so many times d.
        density_neighbour: the neighbour whose distance tells the density.
        queued_share: share of the latents of a batch that enter the queue, at random.
        moment_weight: weight of the penalty on means other than 0 and variances other than 1.
    """

    card = Card(
        idea="no codebook in training: latents are moved as far as quantization would; k-means makes it afterwards",
        paper='Zhai, Ding, Lin, Zhao, Wang, Wang, Wang, Xi, "VP-VAE: Rethinking Vector Quantization via Adaptive '
        'Vector Perturbation", arXiv 2602.17133',
        code="zhai-lw/vp-vae, vp/vp.py, VectorPerturbation",
        trains="projections D x d and d x D (d = 8); codebook (K x d) by k-means where it is evaluated",
        memory="N·d + 16·K·d²; N x 16·K·d distances a chunk at a time",
        schedule="nothing is annealed; the queue holds a number of latents, by default 16·d·K, as neighbours tell a "
        "density, and is renewed in 1,600·d·K / N steps however long the run",
        differences=(
            "owns linear projections from D to d = 8 dimensions and back, where the authors let encoder and decoder "
            "have d; the queue grows with the square of d, and is 268 MB at D = 64 and K = 1,024",
            "k-means goes through the queue 20 times, theirs up to 200 times; both start by k-means++, theirs with "
            "squared distances cut at their 90th percentile",
            "every process holds the queue of all, and makes the same codebook of it; theirs hold their own",
            "their way to choose eta (estimate_eta, called by the user) is left out",
        ),
        evidence=(
            "the authors' VectorPerturbation (commit 2ae367d) with the same draws and queue, 12 batches of 512 moving "
            "latents at each of K = 32, d = 4, eta 1; K = 64, d = 8, eta 0.5; K = 16, d = 3, eta 2: the same moves are "
            "made, queues equal, output within 9.6e-7, loss 1.2e-7 and gradient of the latents 4.8e-7; with their "
            "codebook 6,000 codes equal",
            "the mean squared distance from the queue to its centroids is 1.6 % and 0.8 % above that of their k-means "
            "in the first two, 1.4 % below it in the third",
        ),
        distributed="moves, and the choice of latents for the queue, are drawn by each process for its own latents, so "
        "half batches equal the whole in distribution only; queue and codebook are the same on all",
    )
    knob = Knob("eta", (0.5, 1.0, 2.0), below=(0.25,), above=(4.0,))
    max_codebook_size = 16_384
    max_codebook_size_cpu = 1024  # each latent is compared with 131,072 others, twice a step
    queue: Tensor
    position: Tensor
    codebook: Tensor
    compiled: Tensor

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        code_dim: int = 8,
        eta: float = 1.0,
        latents_per_codeword: float = 16.0,
        density_neighbour: int = 8,
        queued_share: float = 0.01,
        moment_weight: float = 1.0,
    ) -> None:
        check_range("code_dim", code_dim, 1)
        check_range("eta", eta, 0)
        check_range("latents_per_codeword", latents_per_codeword, 1)
        check_range("density_neighbour", density_neighbour, 1)
        check_range("queued_share", queued_share, 0, 1)
        check_range("moment_weight", moment_weight, 0)
        super().__init__(codebook_size, dim, code_dim)
        self.eta, self.queued_share, self.moment_weight = eta, queued_share, moment_weight
        self.neighbours = round(latents_per_codeword * code_dim)
        self.density_neighbour = min(density_neighbour, self.neighbours)
        # Kept as their bits: an average of weights leaves whole numbers alone, and a mean of queued latents is none.
        # Latents that don't enter the queue are written to its last row, which no one reads.
        queue = torch.randn(self.neighbours * self.codebook_size + 1, code_dim)
        self.register_buffer("queue", queue.view(torch.int32))
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("codebook", torch.randn(self.codebook_size, code_dim))
        self.register_buffer("compiled", torch.tensor(True))

    @classmethod
    def can_be_shared(cls, **params: Any) -> bool:
        """No: latents of several levels are no one distribution."""
        return False

    @property
    def recent(self) -> Tensor:
        """The latents of the queue ``[16·d·K, d]``."""
        return self.queue.view(torch.float32)[:-1]

    def train(self, mode: bool = True) -> Self:
        """To train or to evaluate; for the latter the codebook is made anew where latents have come since."""
        super().train(mode)
        if not mode and not self.compiled:
            self._make_codebook()
        return self

    @torch.no_grad()
    def _make_codebook(self) -> None:
        """k-means of the queue, the same on every process and whenever it is done."""
        device = self.queue.device
        with alone(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            self.codebook.copy_(
                kmeans(self.recent, self.codebook_size, start=spread_rows(self.recent, self.codebook_size))
            )
        self.compiled.fill_(True)

    def assign(self, inner: Tensor) -> Tensor:
        """Codes of the nearest centroids, as they were made last."""
        return nearest_codes(inner.reshape(-1, self.inner_dim), self.codebook).reshape(inner.shape[:-1])

    def look_up(self, codes: Tensor) -> Tensor:
        """Centroids."""
        return self.codebook[codes]

    def forward(self, latents: Tensor) -> Quantized:
        """Loss: moment_weight times the penalty; in training the gradient passes the moves as if there were none."""
        inner = self.project_in(latents)
        rows = inner.reshape(-1, self.inner_dim)
        loss = self.moment_weight * moment_penalty(rows, 1.0)
        if not self.training:
            codes = self.assign(inner).unsqueeze(-1)
            return Quantized(self.decode(codes), codes, loss)
        with torch.no_grad():
            moves, made = self.moves(rows)
            self._enqueue(rows)
        moved = (rows + moves * made[:, None]).reshape(inner.shape)
        codes = torch.full((*latents.shape[:-1], 1), -1, device=latents.device)
        return Quantized(self.project_out(moved), codes, loss, {"moved": made.float().mean()})

    @torch.no_grad()
    def moves(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Proposed moves ``[N, d]`` of ``rows [N, d]``, and which of them are made ``[N]``."""
        near, far = self._distances(rows)
        directions = torch.randn_like(rows)
        directions /= directions.norm(dim=1, keepdim=True).clamp(min=_SMALLEST_CHANCE)
        lengths = self.eta * far * torch.rand_like(far).pow(1 / self.inner_dim)
        moves = lengths[:, None] * directions
        near_there, far_there = self._distances(rows + moves)
        # Density times chance of the move, one over a volume each, there and back. Of 0 / 0 comes no move.
        ratio = self.inner_dim * (near.log() + far.log() - near_there.log() - far_there.log())
        made = torch.rand_like(ratio).clamp(min=_SMALLEST_CHANCE).log() < ratio
        return moves, made & (lengths < self.eta * far_there)

    def _distances(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Distances ``[N]`` from ``rows [N, d]`` to the neighbour that tells the density, and to the ball's last."""
        recent = self.recent
        nearest = [
            torch.cdist(part, recent).topk(self.neighbours, largest=False).values[:, [self.density_neighbour - 1, -1]]
            for part in rows.split(max(1, _DISTANCES // len(recent)))
        ]
        near, far = torch.cat(nearest).unbind(1)
        return near, far

    def _enqueue(self, rows: Tensor) -> None:
        """Overwrite the oldest latents of the queue by a random share of ``rows [N, d]``."""
        size = len(self.queue) - 1
        drawn = torch.rand(len(rows), 1, device=rows.device) < self.queued_share
        rows, chosen = gather_rows(torch.cat([rows, drawn], 1)).split([self.inner_dim, 1], 1)
        rows, entering = rows[-size:], chosen[-size:, 0] > 0
        places = (self.position + entering.cumsum(0) - 1) % size
        self.queue.view(torch.float32)[torch.where(entering, places, size)] = rows
        self.queue[-1] = 0
        self.position.copy_((self.position + entering.sum()) % size)
        self.compiled.fill_(False)
