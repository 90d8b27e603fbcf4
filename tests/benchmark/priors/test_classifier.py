"""A classifier trained on images that tell their class is right about others; on images that don't it guesses."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.priors.classifier import accuracy, train, trained_accuracies
from benchmark.priors.training import Codes, Split

CPU = torch.device("cpu")


def _images(labels: Tensor) -> Tensor:
    """uint8 ``[N, 1, 8, 8]``: dark or light by the class, with noise."""
    noise = torch.randint(-40, 40, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(len(labels)))
    return (80 + 90 * labels[:, None, None, None] + noise).to(torch.uint8)


def test_accuracy_after_a_training_on_samples_reconstructions_and_real_images() -> None:
    labels = [torch.arange(count) // 2 % 2 for count in (80, 8, 40)]
    real, validation, test = map(_images, labels)
    codes = Codes(*(Split(torch.arange(len(split))[:, None], split) for split in labels))

    def decode(index: Tensor) -> Any:
        yield torch.zeros(len(index), 1, 8, 8)  # reconstructions that tell nothing

    tokenizer: Any = SimpleNamespace(dataset=Dataset(real, validation, test), device=CPU, decode=decode)
    config = {"classes": 2, "seed": 0, "classifier": {"steps": 30, "batch_size": 16}}
    samples = _images(torch.arange(60) % 2)
    state = torch.get_rng_state()
    found = trained_accuracies(samples, codes, tokenizer, config)
    assert torch.equal(torch.get_rng_state(), state)
    assert found["samples_trained_accuracy"] == pytest.approx(1.0)
    assert found["train_trained_accuracy"] == pytest.approx(1.0)
    assert found["reconstructions_trained_accuracy"] == pytest.approx(0.5)
    # Samples whose classes are those that were not asked for.
    network = train(255 - samples, torch.arange(60) % 2, 2, config["classifier"], 0, CPU)
    assert accuracy(network, test, labels[2], CPU) == pytest.approx(0.0)
