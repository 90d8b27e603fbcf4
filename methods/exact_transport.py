"""Exact optimal transport between latents and weighted codewords, with gradients to all three."""

import torch
from torch import Tensor

_MOST_PIVOTS = 10_000_000


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
