"""Use of the codewords before a map, beside that of the mapped ones."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmark.data import datasets
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.training.evaluation import evaluate, quality_metrics
from benchmark.training.system import System
from methods import Quantized, create

CPU = torch.device("cpu")


@pytest.mark.parametrize(("method", "has"), [("simvq", True), ("vq_vae", False)])
def test_measured_on_request_where_there_is_a_map(method: str, has: bool, tmp_path: Path) -> None:
    data = datasets.create("shifted", {"dim": 4, "test_items": 512})
    quantizer = create(method, 16, 4)
    system = System(models.create("identity", {}, item_shape=data.item_shape), quantizer)
    objective = objectives.create("squared_error", {}, variance=1.0)

    def measured(**options: bool) -> dict:
        return evaluate(system, objective, data, quality_metrics(data, {}, CPU), CPU, tmp_path, **options)["metrics"]

    assert ("usage_unmapped" in measured(unmapped=True)) is has
    assert "usage_unmapped" not in measured()
    if has:
        quantizer.map[0].weight.data.copy_(torch.eye(4))
        quantizer.map[0].bias.data.zero_()
        found = measured(unmapped=True)
        assert found["usage_unmapped"] == found["usage"]
        assert found["perplexity_unmapped"] == pytest.approx(found["perplexity"])


class Eraser(type(create("vq_vae", 2, 2))):
    """Sets what it is given to zero, whose nearest codeword is one of zeros."""

    def forward(self, latents: Tensor) -> Quantized:
        latents.data.mul_(0)
        return super().forward(latents)

    def encode(self, latents: Tensor) -> Tensor:
        latents.data.mul_(0)
        return super().encode(latents)


def test_a_method_cannot_write_into_what_it_is_judged_by(tmp_path: Path) -> None:
    data = datasets.create("shifted", {"dim": 4, "test_items": 256})
    before = {name: getattr(data, name).clone() for name in ("train", "validation", "test")}
    quantizer = Eraser(16, 4)
    quantizer.codebook.data.zero_()
    system = System(models.create("identity", {}, item_shape=data.item_shape), quantizer)
    objective = objectives.create("squared_error", {}, variance=1.0)
    quality = quality_metrics(data, {}, CPU)
    found = evaluate(system, objective, data, quality, CPU, tmp_path, training_codes=True)["metrics"]
    for name, items in before.items():
        assert torch.equal(getattr(data, name), items), name
    assert found["squared_error"] == pytest.approx(float(data.test.square().sum(1).mean()), rel=1e-5)
    assert found["validation_error"] == pytest.approx(float(data.validation.square().mean()), rel=1e-5)
    latents = data.test - data.test.mean(0)
    ratio = float(data.test.square().mean() / latents.square().mean())
    assert found["quantization_error"] == pytest.approx(ratio, rel=1e-2)
