"""Trainings under way that take no time."""

import pytest
import torch

from benchmark.data import Dataset
from benchmark.perf import trained


@pytest.fixture
def short_trainings(monkeypatch):
    """A few steps on random grey images of 28 x 28 pixels."""
    trained.successive_searches.cache_clear()
    items = torch.randint(0, 256, (64, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data = Dataset(items, items[:32], items[:32])
    monkeypatch.setattr(trained, "images", lambda: data)
    monkeypatch.setattr(trained, "STAGES", {"half-trained": 1, "trained": 2})
    monkeypatch.setattr(trained, "STEPS", 1)
    monkeypatch.setattr(trained, "SMALL", 8)
    monkeypatch.setattr(trained, "SUCCESSIVE", 3)
    yield
    trained.successive_searches.cache_clear()
