"""Distances of samples and anchors by a toy tokenizer, whose four codes are grey levels of quarters of an image."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.data import Dataset, Labels
from benchmark.metrics.parts.features import EXTRACTORS
from benchmark.priors.distances import distances
from benchmark.priors.evaluation import check_data
from benchmark.priors.training import Codes, Split
from methods import UsageError

CPU = torch.device("cpu")
LEVELS = torch.tensor([0, 80, 160, 240], dtype=torch.uint8)


def _images(index: Tensor) -> Tensor:
    """uint8 ``[N, 1, 28, 28]`` of four codes an image."""
    return LEVELS[index].reshape(-1, 1, 2, 2).repeat_interleave(14, 2).repeat_interleave(14, 3)


@pytest.fixture
def toy() -> tuple[Any, Codes]:
    generator = torch.Generator().manual_seed(0)
    # The first code decides the others but one: single codes are no images of the set.
    first = torch.randint(4, (600, 1), generator=generator)
    index = torch.cat([first, first, 3 - first, torch.randint(4, (600, 1), generator=generator)], dim=1)
    images = _images(index)
    dataset = Dataset(images[:300], images[300:400], images[400:])
    labels = torch.arange(600) % 10
    parts = (slice(0, 300), slice(300, 400), slice(400, 600))
    codes = Codes(*(Split(index[part], labels[part]) for part in parts))

    def decode(chosen: Tensor) -> Any:
        yield dataset.to_input(_images(chosen))

    tokenizer = SimpleNamespace(dataset=dataset, device=CPU, joint=SimpleNamespace(size=4, digits=(4,)), decode=decode)
    return tokenizer, codes


def test_anchors_stand_in_the_order_that_they_must(toy: tuple[Any, Codes]) -> None:
    tokenizer, codes = toy
    samples = _images(codes.train.index[:150])  # of a prior that knows the law
    found = distances(EXTRACTORS["fashion_classifier"](CPU), samples, codes, tokenizer, {"seed": 0, "classes": 10})
    fd = {name.partition("_fd")[0]: value for name, value in found.metrics.items() if "_fd_" in name}
    assert set(fd) == {"samples", "reconstructions", "single", "uniform", "train"}
    assert all(value is not None for value in fd.values())
    assert 5 * max(fd["reconstructions"], fd["samples"], fd["train"]) < min(fd["single"], fd["uniform"])  # type: ignore[type-var, operator]
    assert {"samples_recall", "reconstructions_coverage"} <= set(found.metrics)
    classify = EXTRACTORS["fashion_classifier"](CPU)
    rows = torch.arange(150) * 200 // 150
    guessed = classify.classify(classify(_images(codes.test.index[rows]).expand(-1, 3, -1, -1)))  # type: ignore[attr-defined]
    assert codes.test.labels is not None
    share = float((guessed == codes.test.labels[rows]).double().mean())
    assert found.metrics["reconstructions_class_told"] == pytest.approx(share)
    assert found.details["samples_fd_fashion_classifier"]["withheld"] is None


def test_too_few_samples_have_no_frechet_distance(toy: tuple[Any, Codes]) -> None:
    tokenizer, codes = toy
    samples = _images(codes.train.index[:50])
    found = distances(EXTRACTORS["fashion_classifier"](CPU), samples, codes, tokenizer, {"seed": 0, "classes": 0})
    assert found.metrics["samples_fd_fashion_classifier"] is None
    assert found.metrics["samples_kid_fashion_classifier"] is not None
    assert found.details["samples_fd_fashion_classifier"]["withheld"] == "fewer images than 128, twice the features"
    assert "samples_class_told" not in found.metrics


def test_what_the_data_lack_is_said_before_hours_of_training(toy: tuple[Any, Codes], dataset: Dataset) -> None:
    config = {"classes": 10, "features": "fashion_classifier"}
    tokenizer, _ = toy
    with pytest.raises(UsageError, match=r"have no labels .*; set `generation.conditional` to false"):
        check_data(config, tokenizer.dataset)
    labels = Labels(*(torch.zeros(1),) * 3)
    dataset.labels = lambda: labels
    with pytest.raises(UsageError, match="features `fashion_classifier` know Fashion-MNIST only"):
        check_data(config, dataset)
