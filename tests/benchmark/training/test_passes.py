"""A compiled step trains as it does without; what can't be compiled stays as it is."""

from typing import Any

import pytest
import torch
from small_runs import small_config

from benchmark.data import Dataset
from benchmark.training.layerwise import trainer_of
from methods import get


def _losses(config: dict[str, Any], dataset: Dataset, device: str = "cpu") -> list[float]:
    """Of every step."""
    trainer = trainer_of(config, dataset, torch.device(device))
    trainer.seed()
    trainer._start()
    losses = []
    for step in range(config["training"]["steps"]):
        trainer._before(step)
        losses.append(float(trainer.step(step)["loss"]))
    return losses


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compiled, in turn: with graphs made as for a compiler, and run as they are."""
    found: list[str] = []

    def compile(function: Any, **settings: Any) -> Any:
        found.append(function.__name__)
        return _compile(function, backend="eager")

    _compile = torch.compile
    monkeypatch.setattr(torch, "compile", compile)
    return found


@pytest.mark.filterwarnings("ignore")  # of what PyTorch deprecates in itself
@pytest.mark.parametrize(
    ("method", "training"),
    [("codebook_reset", {}), ("vq_vae_ema", {"continuous_share": 0.5, "freeze_encoder": True, "ema_decay": 0.9})],
)
def test_a_compiled_training_ends_where_one_that_is_not_does(
    method: str, training: dict[str, Any], dataset: Dataset, compiled: list[str]
) -> None:
    expected = _losses(small_config(method, **training), dataset)
    assert compiled == []
    torch._dynamo.reset()
    found = _losses(small_config(method, compile=True, **training), dataset)
    assert compiled == ["encode", "decode", "quantize"]
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_quantizer_that_is_no_one_graph_stays_as_it_is(dataset: Dataset, compiled: list[str]) -> None:
    assert not get("affine_vq").one_graph
    _losses(small_config("affine_vq", compile=True), dataset)
    assert compiled == ["encode", "decode"]


@pytest.mark.slow  # a compiler works for seconds on each pass
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("method", ["simvq", "codebook_reset", "gumbel_vq"])
def test_compiled_code_trains_as_what_it_is_made_of(method: str, device: str, dataset: Dataset) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    torch._dynamo.reset()
    expected = _losses(small_config(method), dataset, device)
    assert _losses(small_config(method, compile=True), dataset, device) == pytest.approx(expected, rel=1e-3)


def test_compile_is_for_one_device_a_run(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="compile is for one device a run, not 2"):
        _losses(small_config("vq_vae", compile=True, devices=2), dataset)
