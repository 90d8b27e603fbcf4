"""What is looked at once before the runs of a suite."""

from collections.abc import Callable

import pytest
import torch

from benchmark.suite.plan import plan_suite
from benchmark.sweep.launching import prepare
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"name": "vqgan", "channels": 4, "attention": [5]}, "attention at 5 pixels, a resolution that does not occur"),
        ({"name": "simvq", "channels": 4, "multipliers": [1] * 6}, "16x16 images can't be downsampled by 32"),
        ({"name": "hqa_stack", "layers": 5, "latent_dim": 4}, "16x16 pixels, .* can't be halved 5 times"),
    ],
)
def test_a_model_that_the_items_do_not_fit_is_said_once_and_not_by_every_run(
    tiny: dict[str, object], write_suite: Write, model: dict[str, object], sentence: str
) -> None:
    plan = plan_suite(write_suite({**tiny, "model": model}))
    assert len(plan.runs) == 2
    with pytest.raises(UsageError, match=sentence):
        prepare(plan)


def test_models_are_looked_at_without_their_memory_or_random_numbers(
    tiny: dict[str, object], write_suite: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.models import models

    built = []
    usual = models.create

    def create(*given: object, **supplied: object) -> object:
        built.append(usual(*given, **supplied))  # type: ignore[arg-type]
        return built[-1]

    monkeypatch.setattr(models, "create", create)
    state = torch.get_rng_state()
    prepare(plan_suite(write_suite(tiny)))
    assert [{weight.device.type for weight in model.parameters()} for model in built] == [{"meta"}]
    assert torch.equal(torch.get_rng_state(), state)
