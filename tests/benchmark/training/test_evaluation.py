"""Use of the codewords before a map, beside that of the mapped ones."""

from pathlib import Path

import pytest
import torch

from benchmark.data import datasets
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.training.evaluation import evaluate, quality_metrics
from benchmark.training.system import System
from methods import create

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
