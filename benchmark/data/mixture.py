"""A mixture of Gaussians in any dimension, for plain vector quantization."""

import torch
from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset
from benchmark.data.parts.vectors import check_vectors, drawn
from benchmark.seeds import derive_seed
from methods.core.usage import check_count, check_range

MOST_COMPONENTS = 2**24
"""As many as one draw can choose among."""


@datasets.register("mixture", modality="latents")
def mixture(
    *, dim: int = 2, components: int = 16, spread: float = 4.0, imbalance: float = 0.0, test_items: int = 50_000
) -> Dataset:
    """Vectors ``[D]`` of a mixture of N(c_i, I) with centres c_i of N(0, ``spread``² I).

    A component has a weight proportional to rank^-``imbalance``: at 0 all are equal. Centres and weights are the
    same for every run.
    """
    check_vectors("data set `mixture`", dim, test_items)
    check_count("data set `mixture`: components", components, MOST_COMPONENTS)
    check_range("data set `mixture`: spread", spread, 0, 1e6)
    check_range("data set `mixture`: imbalance", imbalance, 0, 10)
    generator = torch.Generator().manual_seed(derive_seed("mixture", dim, components))
    centres = spread * torch.randn(components, dim, generator=generator)
    weights = torch.arange(1, components + 1, dtype=torch.float64) ** -imbalance

    def draw(count: int, step: int, generator: torch.Generator) -> Tensor:
        component = torch.multinomial(weights, count, replacement=True, generator=generator)
        return centres[component] + torch.randn(count, dim, generator=generator)

    return drawn("mixture", draw, test_items=test_items, components=components)
