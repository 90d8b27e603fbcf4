"""The loop: resumable to the last digit, equal starts for all arms, every hook called where it should be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import small_config
from torch import Tensor

from benchmark.data import Dataset, datasets
from benchmark.training.checkpoint import BadCheckpointError, save_checkpoint
from benchmark.training.loop import DivergedError, OutOfTimeError
from benchmark.training.stopwatch import QuantizerStopwatch
from benchmark.training.trainer import Trainer
from methods import UsageError

Resumed = Callable[[Callable[[], Trainer], int], tuple[Trainer, Trainer]]
CPU = torch.device("cpu")
PLATEAUS = {"schedule": "plateau", "plateau_steps": 1, "plateau_patience": 1, "learning_rate": 0.1}
"""A rate at which the validation error does not fall at every step."""


def _silent(step: int, row: dict[str, float]) -> None:
    pass


def _state(trainer: Trainer) -> dict[str, Tensor]:
    return dict(trainer.trained.state_dict())


@pytest.mark.parametrize("method", ["vq_vae", "vq_vae_ema", "simvq"])
@pytest.mark.parametrize("options", [{}, {"ema_decay": 0.9, "clip_norm": 1.0}, {"optimizer": "sgd"}, PLATEAUS])
def test_an_interrupted_training_ends_where_an_undisturbed_one_does(
    method: str, options: dict[str, Any], dataset: Dataset, whole_and_resumed: Resumed
) -> None:
    config = small_config(method, steps=8, **options)
    whole, second = whole_and_resumed(lambda: Trainer(config, dataset, CPU), 5)
    for name, value in _state(whole).items():
        assert torch.equal(value, _state(second)[name]), name
    without_time = [{k: v for k, v in row.items() if k != "seconds"} for row in whole.progress.history]
    assert without_time == [{k: v for k, v in row.items() if k != "seconds"} for row in second.progress.history]


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_bad_checkpoint_is_told_apart(content: bytes | None, dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    trainer = Trainer(small_config(), dataset, CPU)
    if content is None:
        save_checkpoint(path, trainer)
        path.write_bytes(path.read_bytes()[:-50])
    else:
        path.write_bytes(content)
    with pytest.raises(BadCheckpointError, match=r"can't be used: (it holds no plain tensors|it is cut short)"):
        trainer.fit(path, _silent)


def test_all_arms_start_from_the_same_encoder_and_decoder(dataset: Dataset) -> None:
    states = [Trainer(small_config(method), dataset, CPU).system.model.state_dict() for method in ("vq_vae", "simvq")]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_loss_that_is_not_finite_ends_with_its_step(dataset: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(small_config(steps=100), dataset, CPU)
    reconstruction_loss = trainer.system.quantizer.reconstruction_loss
    calls = []

    def planted(errors: Tensor, numel: int) -> Tensor:
        calls.append(1)
        return reconstruction_loss(errors, numel) * (float("inf") if len(calls) == 6 else 1.0)

    trainer.system.quantizer.reconstruction_loss = planted  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match="not finite at step 6"):
        trainer.fit(tmp_path / "checkpoint.pt", _silent)
    assert len(calls) == 8


def test_the_time_limit_ends_a_run(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(OutOfTimeError, match=r"stopped after 1e-06 s at step 1 of 12"):
        Trainer(small_config(), dataset, CPU, timeout=1e-6).fit(tmp_path / "checkpoint.pt", _silent)


def test_warm_up_reaches_the_learning_rate(dataset: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(small_config(), dataset, CPU)
    trainer.fit(tmp_path / "checkpoint.pt", _silent)
    rates = [row["learning_rate"] for row in trainer.progress.history]
    assert rates[:5] == pytest.approx([0.5e-3, 0.75e-3, 1e-3, 1e-3, 1e-3])


def test_the_rate_falls_after_plateaus_of_the_validation_error(dataset: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(small_config(**PLATEAUS, warmup_steps=0), dataset, CPU)
    assert trainer.validation is not None
    errors: list[float] = []
    measure = trainer.validation.measure

    def listen(system: Any) -> dict[str, float]:
        errors.append(measure(system)["validation_error"])
        return {"validation_error": errors[-1]}

    trainer.validation.measure = listen  # type: ignore[method-assign]
    trainer.fit(tmp_path / "checkpoint.pt", _silent)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    expected = []
    for error in errors:
        theirs.step(error)
        expected.append(optimizer.param_groups[0]["lr"])
    assert len(errors) == 12
    assert expected[-1] < 0.1
    assert [row["learning_rate"] for row in trainer.progress.history] == pytest.approx(expected)


def test_a_plateau_needs_validation_items(dataset: Dataset) -> None:
    without = replace(dataset, validation=dataset.validation[:0])
    with pytest.raises(UsageError, match="schedule plateau needs validation items, and the data set has none"):
        Trainer(small_config(**PLATEAUS), without, CPU)


def test_the_average_of_weights_is_what_is_evaluated(dataset: Dataset, tmp_path: Path) -> None:
    trainer = Trainer(small_config("simvq", ema_decay=0.5, steps=2, warmup_steps=0), dataset, CPU)
    frozen = trainer.system.quantizer.codebook.clone()
    trainer.fit(tmp_path / "checkpoint.pt", _silent)
    name = "model.encoder.0.weight"
    assert not torch.equal(trainer.trained.state_dict()[name], trainer.system.state_dict()[name])
    assert torch.equal(trainer.trained.quantizer.codebook, frozen)


def test_bf16_leaves_the_quantizer_in_fp32(dataset: Dataset) -> None:
    trainer = Trainer(small_config(precision="bf16"), dataset, CPU)
    seen = []
    trainer.system.quantizer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].dtype))
    trainer.step(0)
    assert seen == [torch.float32]


def test_the_stopwatch_times_forward_and_backward_of_the_quantizer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    stopwatch = QuantizerStopwatch(CPU)
    for step in range(2):  # the second step is not sampled
        stopwatch.begin(step)
        latents = torch.ones(3, requires_grad=True) * 2
        quantized = stopwatch.enter(latents) * 3
        stopwatch.leave(quantized)
        (quantized * 5).sum().backward()
        stopwatch.end()
    # Ticks: begin 0, enter 1, leave 2, backward begins 3 and ends 4, end 5.
    assert stopwatch.totals() == [2.0, 5.0]
    assert stopwatch.share() == 0.4


def test_the_end_of_a_training_is_saved(dataset: Dataset, tmp_path: Path) -> None:
    path, first = tmp_path / "checkpoint.pt", Trainer(small_config("vq_vae_ema"), dataset, CPU)
    first.fit(path, _silent)
    second = Trainer(small_config("vq_vae_ema"), dataset, CPU)
    second.fit(path, _silent)
    assert second.progress == first.progress
    for name, value in _state(first).items():
        assert torch.equal(value, _state(second)[name]), name


def test_a_start_from_data_is_timed_apart_and_counts_towards_the_limit(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def takes(seconds: float) -> None:
        now[0] += seconds

    trainer = Trainer(small_config(), dataset, CPU, timeout=250.0)
    trainer.system.quantizer.initialise = lambda latents: takes(230.0)  # type: ignore[method-assign]
    trainer.system.quantizer.after_step = lambda: takes(7.0)  # type: ignore[method-assign]
    with pytest.raises(OutOfTimeError, match="stopped after 250 s at step 3 of 12"):
        trainer.fit(tmp_path / "checkpoint.pt", _silent)
    assert trainer.progress.start_seconds == 230.0
    assert trainer.progress.seconds == 21.0


def test_an_average_of_nothing_is_nothing(tmp_path: Path) -> None:
    config = {**small_config("no_quantization", ema_decay=0.9, steps=4), "model": {"name": "identity"}}
    vectors = datasets.create("planted", {"kind": "clustered", "test_items": 64})
    trainer = Trainer(config, vectors, CPU)
    trainer.fit(tmp_path / "none.pt", _silent)
    assert trainer.trained is trainer.system


@pytest.mark.parametrize("name", ["step", "loss", "usage"])
def test_a_log_that_names_a_column_of_the_history_is_one_sentence(name: str, dataset: Dataset) -> None:
    trainer = Trainer(small_config(), dataset, CPU)
    quantize = trainer.system.quantizer.forward
    trainer.system.quantizer.forward = lambda latents: quantize(latents)._replace(log={name: torch.ones(())})  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=f"the history has a column `{name}`"):
        trainer.step(0)
