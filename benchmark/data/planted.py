"""Latents that bring collapse about: tight clusters, a law that wanders off, a single point."""

import torch
from torch import Tensor

from benchmark.data import datasets
from benchmark.data.base import Dataset
from benchmark.data.parts.vectors import check_vectors, drawn
from benchmark.seeds import derive_seed
from methods.core.usage import check_choice, check_count, check_range

KINDS = ("clustered", "drifting", "identical")
CLUSTERS, CLUSTER_WIDTH = 3, 0.05
CENTRE_SCALE = 3.0
TRAIN_ITEMS = 4_096


@datasets.register("planted", modality="latents")
def planted(
    *, kind: str = "clustered", dim: int = 8, drift: float = 4.0, drift_steps: int = 100, test_items: int = 4_096
) -> Dataset:
    """Vectors ``[D]`` in one of three ways that codebooks collapse.

    ``clustered``: three clusters a sixtieth as wide as they are apart, which codewords that only follow their own
    latents never split. ``drifting``: N(0, I) whose mean moves to ``drift`` on every coordinate over the first
    ``drift_steps`` steps and stays; validation and test are of the end. ``identical``: one point, where every
    variance is zero and every tie is possible.
    """
    check_choice("data set `planted`: kind", kind, KINDS)
    check_vectors("data set `planted`", dim, test_items)
    check_count("data set `planted`: drift_steps", drift_steps)
    check_range("data set `planted`: drift", drift, -1e6, 1e6)
    places = torch.Generator().manual_seed(derive_seed("planted", dim))
    centres = CENTRE_SCALE * torch.randn(CLUSTERS, dim, generator=places)

    def draw(count: int, step: int, generator: torch.Generator) -> Tensor:
        if kind == "identical":
            return centres[:1].repeat(count, 1)
        noise = torch.randn(count, dim, generator=generator)
        if kind == "drifting":
            return noise + drift * min(1.0, step / drift_steps)
        return centres[torch.randint(CLUSTERS, (count,), generator=generator)] + CLUSTER_WIDTH * noise

    return drawn("planted", draw, last_step=drift_steps, train_items=TRAIN_ITEMS, test_items=test_items, kind=kind)
