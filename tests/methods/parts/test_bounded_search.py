import copy
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from methods import create, nearest
from methods.nearest import TOLERANCE, nearest_codes
from methods.parts import bounded_search
from methods.parts.bounded_search import SearchMemory, search_bounded, survey

pytest.importorskip("numba")


@pytest.fixture
def forced(monkeypatch):
    """The bound is used whatever it costs: ``forced(rank)``."""
    judge = bounded_search.survey

    def force(rank):
        monkeypatch.setattr(bounded_search, "_FEWEST_PAIRS", 0)
        monkeypatch.setattr(bounded_search, "survey", lambda *args, **kwargs: replace(judge(*args, **kwargs, force=True), rank=rank))

    force(7)
    return force


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def flat(rows, dim=64, rank=4, noise=0.05, seed=0):
    """Rows that hardly fill their dimensions, about an origin of their own."""
    plane = normal(rank, dim, seed=99)
    return normal(rows, rank, seed=seed) @ plane + noise * normal(rows, dim, seed=seed + 1) + 3.0


def exact_codes(latents, codewords):
    """The lowest index of the least distance in fp64."""
    return torch.cat([(z - codewords.double()).square().sum(1).argmin()[None] for z in latents.double()])
