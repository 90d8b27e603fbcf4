"""Before quantization starts, the frozen encoder, and the average of what is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.training.trainer import Trainer

Resumed = Callable[[Callable[[], Trainer], int], tuple[Trainer, Trainer]]
CPU = torch.device("cpu")


def _trainer(
    dataset: Dataset, method: str = "vq_vae_ema", params: dict[str, Any] | None = None, **training: Any
) -> Trainer:
    model = {"name": "conv", "width": 8, "latent_dim": 4, "residual_blocks": 1, "residual_width": 4}
    config = {
        "method": method,
        "params": params or {},
        "codebook_size": 16,
        "model": model,
        "objective": {"name": "squared_error", "normalise": True},
        "training": {"steps": 10, "batch_size": 5, "precision": "fp32", **training},
        "seed": 0,
    }
    return Trainer(config, dataset, CPU)


def _silent(step: int, row: dict[str, float]) -> None:
    pass


def _weights(trainer: Trainer, part: str) -> Tensor:
    return torch.cat([value.flatten() for name, value in trainer.system.state_dict().items() if part in name])


def test_nothing_is_quantized_before_its_share_of_the_steps(dataset: Dataset, tmp_path: Path) -> None:
    trainer = _trainer(dataset, continuous_share=0.4)
    plain = _trainer(dataset, "no_quantization")
    first = trainer.system.quantizer.codebook.clone()
    for step in range(4):
        assert trainer.step(step)["reconstruction"] == plain.step(step)["reconstruction"]
    assert torch.equal(trainer.system.quantizer.codebook, first)
    trainer.fit(tmp_path / "checkpoint.pt", _silent)
    assert not torch.equal(trainer.system.quantizer.codebook, first)
    assert [row["step"] for row in trainer.progress.history if "usage" not in row] == [1, 2, 3, 4]
    assert all("usage" in row for row in trainer.progress.history[4:])
    assert not trainer.trained.continuous


def test_a_quantizers_run_begins_where_quantization_does(dataset: Dataset, tmp_path: Path) -> None:
    trainer = _trainer(dataset, "codebook_reset", continuous_share=0.4)
    seen: list[tuple[int, int]] = []
    starts: list[Tensor] = []
    trainer.system.quantizer.anneal = lambda *at: seen.append(at)  # type: ignore[method-assign]
    trainer.system.quantizer.initialise = lambda latents: starts.append(next(latents))  # type: ignore[method-assign]
    untrained = trainer.system.encode(trainer.train.batch(trainer._batches("initialise").indices(0)))
    trainer.fit(tmp_path / "checkpoint.pt", _silent)
    assert seen == [(step, 6) for step in range(6)]
    assert len(starts) == 1
    assert not torch.equal(starts[0], untrained)


@pytest.mark.parametrize("at", [3, 4, 7])
def test_an_interrupted_run_with_phases_and_a_schedule_ends_where_an_undisturbed_one_does(
    at: int, dataset: Dataset, whole_and_resumed: Resumed
) -> None:
    options = {"continuous_share": 0.4, "schedule": "cosine", "warmup_steps": 2, "ema_decay": 0.7, "steps": 10}
    whole, second = whole_and_resumed(lambda: _trainer(dataset, "codebook_reset", **options), at)
    for name, value in whole.trained.state_dict().items():
        assert torch.equal(value, second.trained.state_dict()[name]), name
    assert whole.progress.history[-1]["learning_rate"] == 0.0
    assert [row["validation_error"] for row in whole.progress.history] == [
        row["validation_error"] for row in second.progress.history
    ]


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_frozen_encoder_stays_as_it_is_when_quantization_starts(
    share: float, dataset: Dataset, tmp_path: Path
) -> None:
    trainer = _trainer(dataset, "simvq", freeze_encoder=True, continuous_share=share)
    start = {part: _weights(trainer, part) for part in ("encoder", "decoder", "map")}
    for step in range(round(10 * share)):
        trainer.step(step)
    frozen = _weights(trainer, "encoder")
    assert torch.equal(frozen, start["encoder"]) == (share == 0)
    for step in range(round(10 * share), 10):
        trainer.step(step)
    assert torch.equal(_weights(trainer, "encoder"), frozen)
    assert not torch.equal(_weights(trainer, "decoder"), start["decoder"])
    assert not torch.equal(_weights(trainer, "map"), start["map"])


@pytest.mark.parametrize("unit", ["items", "positions"])
def test_a_share_of_a_training_batch_passes_by_the_quantizer(unit: str, dataset: Dataset) -> None:
    system = _trainer(dataset, unquantized_share=0.5, unquantized_unit=unit).system
    items = torch.randn(200, *dataset.item_shape, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    found = system.train()(items)
    passed = (found.quantized.latents == found.latents).all(-1).flatten(1)
    shares = passed.float().mean(1)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.1)
    assert set(shares.tolist()) <= {0.0, 1.0} if unit == "items" else bool(((shares > 0) & (shares < 1)).any())
    assert found.quantized.codes is not None
    assert found.quantized.codes.shape[:-1] == found.latents.shape[:-1], "it learns of all"
    assert not (system.eval()(items).quantized.latents == found.latents).all(-1).any()


def test_a_quantizer_at_a_rate_of_almost_nothing_hardly_moves(dataset: Dataset) -> None:
    usual, slow = (_trainer(dataset, "simvq", quantizer_learning_rate=rate) for rate in (None, 1e-9))
    before = _weights(usual, "map")
    for step in range(5):
        usual.step(step)
        slow.step(step)
    assert (_weights(usual, "map") - before).abs().max() > 1e-3
    assert (_weights(slow, "map") - before).abs().max() < 1e-7


@pytest.mark.parametrize(("method", "name"), [("vq_vae", "quantizer.codebook"), ("vq_vae_ema", "quantizer.codebook")])
def test_codebooks_are_averaged_whether_they_are_trained_by_gradient_or_not(
    method: str, name: str, dataset: Dataset
) -> None:
    trainer = _trainer(dataset, method, ema_decay=0.75)
    states = []
    for step in range(3):
        trainer.step(step)
        states.append(trainer.system.state_dict()[name].clone())
    expected = 0.75 * (0.75 * states[0] + 0.25 * states[1]) + 0.25 * states[2]
    torch.testing.assert_close(trainer.trained.state_dict()[name], expected)


def test_flags_and_counters_of_the_average_are_those_of_the_run(dataset: Dataset) -> None:
    trainer = _trainer(dataset, "nsvq", ema_decay=0.75)
    for step in range(3):
        trainer.step(step)
    whole = {name: value for name, value in trainer.system.state_dict().items() if not value.is_floating_point()}
    assert whole
    for name, value in whole.items():
        assert torch.equal(trainer.trained.state_dict()[name], value), name
