"""Vectors of a simple law moved away from the origin: data of the published study of misplaced codebooks."""

import torch
from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset
from benchmark.data.parts.vectors import check_vectors, drawn
from methods.core.usage import check_choice, check_range

LAWS = ("gaussian", "uniform")


@datasets.register("shifted", modality="latents")
def shifted(*, law: str = "gaussian", shift: float = 0.0, dim: int = 8, test_items: int = 200_000) -> Dataset:
    """Vectors ``[D]`` of N(0, I) (``gaussian``) or U[-1, 1] (``uniform``), plus ``shift`` on every coordinate.

    Fang et al., arXiv 2506.15078, the simulation of their distributional matching perspective.
    """
    check_choice("data set `shifted`: law", law, LAWS)
    check_range("data set `shifted`: shift", shift, -1e6, 1e6)
    check_vectors("data set `shifted`", dim, test_items)

    def draw(count: int, step: int, generator: torch.Generator) -> Tensor:
        items = torch.empty(count, dim)
        items = items.normal_(generator=generator) if law == "gaussian" else items.uniform_(-1, 1, generator=generator)
        return items + shift

    return drawn("shifted", draw, test_items=test_items, law=law, shift=shift)
