"""The container of a data set and its small helpers."""

import pytest
import torch

from benchmark.data import Dataset
from benchmark.data import base as base_module
from benchmark.data.base import evenly
from methods.core.usage import UsageError


def dataset(train: torch.Tensor) -> Dataset:
    return Dataset(train, train[:1], train[:1])


def test_inputs_span_minus_one_to_one():
    inputs = Dataset.to_input(torch.tensor([0, 51, 255], dtype=torch.uint8))
    torch.testing.assert_close(inputs, torch.tensor([-1.0, -0.6, 1.0]))


def test_variance_is_that_of_the_training_inputs(monkeypatch):
    monkeypatch.setattr(base_module, "CHUNK", 3)
    generator = torch.Generator().manual_seed(0)
    train = torch.randint(0, 200, (8, 3, 4, 5), dtype=torch.uint8, generator=generator)
    expected = (train.double() / 127.5 - 1).var(correction=0).item()
    assert dataset(train).variance == pytest.approx(expected, rel=1e-6)
    assert dataset(train).item_shape == (3, 4, 5)


def test_evenly_spaced_items():
    items = torch.arange(10)
    assert evenly(items, 4, "n").tolist() == [0, 2, 5, 7]
    assert evenly(items, 10, "n").tolist() == list(range(10))
    assert evenly(items, None, "n") is items


@pytest.mark.parametrize("count", [0, -1, 11, 2.0, True, "3"])
def test_evenly_refuses(count):
    with pytest.raises(UsageError, match=r"^n must be a whole number from 1 to 10, not "):
        evenly(torch.arange(10), count, "n")
