"""VQ-WAE: codebook and encoder meet by optimal transport, with a learned share of each codeword at each position."""

from collections.abc import Iterator
from math import log, prod

import torch
from torch import Tensor, nn

from methods.core.base import Card, Knob, Quantized
from methods.core.registry import register
from methods.core.usage import check_range
from methods.parts.codebook import CodebookQuantizer, new_codebook
from methods.parts.estimators import straight_through
from methods.parts.processes import gather_rows

_MOST_PIVOTS = 10_000_000


@register("vq_wae")
class VQWAE(CodebookQuantizer):
    """At each position the batch's latents are moved, at least cost, to codewords with learned shares.

    Vuong et al., "Vector Quantized Wasserstein Auto-Encoder", ICML 2023, arXiv 2302.05917, in its primal form
    (the dual with Kantorovich networks is left out). Codes are the nearest codewords; there is no commitment and
    no codebook loss: the transport's cost draws latents and codewords together, and the divergence of the shares
    from the uniform keeps all codewords in play.

    Args:
        beta: weight of the transport's cost (squared distance, summed over D and over positions).
        kl_weight: weight of KL(shares | uniform) / K, summed over positions.
        position_groups: how many sets of shares there are. Position p of P, in row-major order, has the set
            floor(p · position_groups / P): its own where P is at most their number.
        init: start of the codebook: ``normal`` N(0, 1), ``uniform`` U(-1/K, 1/K), or ``kmeans`` of the first
            batches' latents.
    """

    card = Card(
        idea="at each position latents are moved to codewords by optimal transport with learned, near-uniform shares",
        paper='Vuong, Le, Zhao, Zheng, Harandi, Cai, Phung, "Vector Quantized Wasserstein Auto-Encoder", ICML 2023, '
        "arXiv 2302.05917",
        code="VuongLong/VQ-WAE, quantizer.py, WSVectorQuantizer",
        trains="codebook (K x D) and logits of the shares (position_groups x K)",
        memory="N·D + K·D; one B x K plan at a time, in float64 on the CPU",
        differences=(
            "any grid of positions: of more than position_groups neighbours share their shares; theirs is 8 x 8 with "
            "512 codewords",
            "transport is over the batch of all processes",
            "one transport over all positions together (their global mode) and the dual form are left out",
        ),
        evidence=(
            "WSVectorQuantizer, 5 Adam steps, 32 x 8 x 8 latents, K = 512, D = 16, shares off their start: output "
            "within 7.5e-7, loss 2.4e-7 and gradients 9.0e-7 of their largest entry, codebook and logits 9.2e-7; in "
            "float64 3.2e-12",
            "at the start, where shares have two values only, the optimal dual is not unique: the logits' gradient "
            "differs from theirs by up to 0.7 %, that of latents and codebook by 8.6e-7",
        ),
        distributed=Card.SAME_AS_ONE,
    )
    knob = Knob("beta", (1e-4, 1e-3, 1e-2), below=(1e-5,), above=(0.1, 1.0))
    one_graph = False
    max_codebook_size = 1024
    """A linear programme of B x K a position and step, on one CPU core: for B = 128 and D = 64 it takes 27 ms at this
    size, 164 ms at 4,096 and 1.5 s at 16,384; a 7 x 7 grid has 49 of them."""

    def __init__(
        self,
        codebook_size: int,
        dim: int,
        *,
        beta: float = 1e-3,
        kl_weight: float = 1.0,
        position_groups: int = 64,
        init: str = "normal",
    ) -> None:
        super().__init__(codebook_size, dim)
        check_range("beta", beta, 0)
        check_range("kl_weight", kl_weight, 0)
        check_range("position_groups", position_groups, 1)
        self.beta, self.kl_weight = beta, kl_weight
        self.codebook = nn.Parameter(new_codebook(self.codebook_size, dim, init))
        self.logits = nn.Parameter(block_logits(position_groups, self.codebook_size))
        self.register_buffer("initialised", torch.tensor(init != "kmeans"))

    def initialise(self, latents: Iterator[Tensor]) -> None:
        """k-means of the first batches, for ``init="kmeans"``."""
        self.start_from_kmeans(latents)

    def forward(self, latents: Tensor) -> Quantized:
        """Loss in training: sum over positions of beta · transport + kl_weight · KL / K; none in eval mode."""
        codes = self.encode(latents)
        quantized = self.decode(codes)
        if not self.training:
            return Quantized(quantized, codes, latents.new_zeros(()))
        transport, divergence = self.transport(latents)
        loss = self.beta * transport + self.kl_weight * divergence
        entries = {"transport": transport.detach(), "kl": divergence.detach()}
        return Quantized(straight_through(latents, quantized), codes, loss, entries)

    def transport(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Transport cost, and KL of the shares from the uniform over K, both summed over positions."""
        examples, positions = latents.shape[0], prod(latents.shape[1:-1])
        rows = gather_rows(latents.reshape(examples, -1)).reshape(-1, positions, self.dim)
        groups = torch.arange(positions, device=rows.device) * self.logits.shape[0] // positions
        log_shares = self.logits[groups].log_softmax(1)
        shares = log_shares.exp()
        costs = [transport_cost(rows[:, p], self.codebook, shares[p]) for p in range(positions)]
        divergence = (shares * (log_shares + log(self.codebook_size))).sum() / self.codebook_size
        return torch.stack(costs).sum(), divergence


def block_logits(groups: int, codebook_size: int) -> Tensor:
    """The start ``[groups, K]``: group g has logit 1 on the g-th block of codewords and 0 elsewhere."""
    logits = torch.zeros(groups, codebook_size)
    for group in range(groups):
        first = group * codebook_size // groups
        last = max(first + 1, (group + 1) * codebook_size // groups)
        logits[group, first:last] = 1
    return logits


def transport_cost(latents: Tensor, codewords: Tensor, weights: Tensor) -> Tensor:
    """Least cost of moving latents of equal mass to codewords of given mass, by squared distance; a scalar.

    Solved as a linear programme on the CPU (network simplex of POT, in float64). By the envelope theorem the
    gradient of latents and codewords is that of the cost under the optimal plan, and that of the weights is the
    optimal dual, up to a constant that a sum of 1 makes meaningless. Not finite distances give a NaN.

    Args:
        latents: ``[N, D]``, of mass 1/N each.
        codewords: ``[K, D]``.
        weights: ``[K]``, at least 0, with sum 1.
    """
    with torch.no_grad():
        rows, codes, mass, dual = _solve(_squared_distances(latents, codewords), weights)
    cost = (mass * (latents[rows] - codewords[codes]).square().sum(1)).sum()
    return cost + (dual * (weights - weights.detach())).sum()


def _squared_distances(latents: Tensor, codewords: Tensor) -> Tensor:
    """``[K, N]`` in float64 on the CPU."""
    latents, codewords = latents.cpu().double(), codewords.cpu().double()
    products = codewords @ latents.T
    return (codewords.square().sum(1)[:, None] + latents.square().sum(1) - 2 * products).clamp(min=0)


def _solve(costs: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows, codes and masses ``[<= N + K - 1]`` of the optimal plan for ``[K, N]`` costs, and the dual ``[K]``."""
    # POT takes half a second to import, which the other methods need not wait for.
    import ot

    size, count = costs.shape
    if not bool(costs.isfinite().all()) or not bool(weights.isfinite().all()):
        nothing = torch.zeros(1, dtype=torch.int64, device=weights.device)
        return nothing, nothing, weights.new_full((1,), torch.nan), weights.new_zeros(size)
    supply = weights.double().cpu().numpy()
    demand = torch.full((count,), 1 / count, dtype=torch.float64).numpy()
    plan, log = ot.emd(supply / supply.sum(), demand, costs.numpy(), numItermax=_MOST_PIVOTS, log=True)
    codes, rows = plan.nonzero()
    places = [torch.from_numpy(array).to(weights.device) for array in (rows, codes)]
    values = [torch.from_numpy(array).to(weights) for array in (plan[codes, rows], log["u"])]
    return places[0], places[1], values[0], values[1]
