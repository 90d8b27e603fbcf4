"""A stack trained layer after layer: those below stay, each begins anew, what is evaluated goes all the way down."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.data import Dataset
from benchmark.training.checkpoint import save_weights
from benchmark.training.layers import Above
from benchmark.training.layerwise import LayerwiseTrainer, trainer_of
from benchmark.training.starting import load_weights
from benchmark.training.trainer import Trainer
from methods import UsageError

Resumed = Callable[[Callable[[], Trainer], int], tuple[Trainer, Trainer]]
CPU = torch.device("cpu")
THEIRS = {"loss_per": "value", "draws": True, "reset_every": 2}


def _trainer(
    dataset: Dataset, layers: int = 3, method: str = "hqa", params: dict[str, Any] = THEIRS, **training: Any
) -> LayerwiseTrainer:
    widths = {"encoder_widths": [4] * layers, "decoder_widths": [4] * layers}
    settings = {"steps": 4 * layers, "batch_size": 5, "optimizer": "radam", "clip_norm": 1.0, "schedule": "cosine"}
    config = {
        "method": method,
        "params": params,
        "codebook_size": 16,
        "model": {"name": "hqa_stack", "layers": layers, "latent_dim": 4, **widths},
        "objective": {"name": "squared_error", "normalise": True},
        "training": {
            **settings,
            "flat_share": 0.5,
            "final_share": 0.1,
            "precision": "fp32",
            "layerwise": True,
            **training,
        },
        "seed": 0,
    }
    made = trainer_of(config, dataset, CPU)
    assert isinstance(made, LayerwiseTrainer)
    return made


def _silent(step: int, row: dict[str, float]) -> None:
    pass


def _own(trainer: LayerwiseTrainer, layer: int) -> dict[str, Tensor]:
    """The state of a layer: encoder, decoder, quantizer and normaliser."""
    model, quantizer = trainer.layers[layer]
    state = {**model.layer.state_dict(), **{f"quantizer.{name}": t for name, t in quantizer.state_dict().items()}}
    if isinstance(model, Above):
        state |= {f"normaliser.{name}": value for name, value in model.normaliser.state_dict().items()}
    return {name: value.clone() for name, value in state.items()}


def _step_through(trainer: LayerwiseTrainer, steps: range) -> None:
    for step in steps:
        trainer._before(step)
        trainer.step(step)


def test_only_the_layer_in_training_changes(dataset: Dataset) -> None:
    trainer = _trainer(dataset)
    for layer in range(3):
        before = [_own(trainer, index) for index in range(3)]
        _step_through(trainer, range(4 * layer, 4 * layer + 4))
        for index in range(3):
            changed = {
                name for name, value in _own(trainer, index).items() if not torch.equal(value, before[index][name])
            }
            if index != layer:
                assert changed == set()
            else:
                assert {"encoder.0.weight", "decoder.5.bias", "quantizer.codebook"} <= changed
                assert ("normaliser.count" in changed) == (layer > 0)
    assert int(trainer.layers[2][0].get_buffer("normaliser.count")) == 4 * 5 * 2 * 2


@pytest.mark.parametrize("at", [2, 4, 9])
def test_an_interrupted_training_ends_where_an_undisturbed_one_does(
    at: int, dataset: Dataset, whole_and_resumed: Resumed
) -> None:
    whole, second = whole_and_resumed(lambda: _trainer(dataset), at)
    state = whole.trained.state_dict()
    assert state.keys() == whole.whole.state_dict().keys()
    for name, value in state.items():
        assert torch.equal(value, second.trained.state_dict()[name]), name
    assert [row["loss"] for row in whole.progress.history] == [row["loss"] for row in second.progress.history]


def test_each_layer_begins_anew(dataset: Dataset, tmp_path: Path) -> None:
    trainer = _trainer(dataset)
    seen: list[tuple[int, int, int]] = []
    for index, (_, quantizer) in enumerate(trainer.layers):
        quantizer.anneal = lambda step, total, index=index: seen.append((index, step, total))  # type: ignore[method-assign]
    trainer.fit(tmp_path / "checkpoint.pt", _silent)
    assert seen == [(layer, step, 4) for layer in range(3) for step in range(4)]
    rows = {row["step"]: row for row in trainer.progress.history}
    assert [rows[step]["layer"] for step in (1, 4, 5, 8, 9, 12)] == [1, 1, 2, 2, 3, 3]
    assert rows[5]["learning_rate"] == rows[1]["learning_rate"] == 1e-3
    assert rows[4]["learning_rate"] == rows[12]["learning_rate"] == pytest.approx(1e-4)


def test_a_deeper_stack_begins_as_a_shallower_one(dataset: Dataset) -> None:
    deep, shallow = _trainer(dataset, 3), _trainer(dataset, 1)
    for trainer in (deep, shallow):
        trainer.seed()
        _step_through(trainer, range(4))
    deeper = _own(deep, 0)
    assert all(torch.equal(value, deeper[name]) for name, value in _own(shallow, 0).items())


def test_what_is_evaluated_goes_up_and_down_through_all_layers(dataset: Dataset) -> None:
    trainer = _trainer(dataset, 2, params={"loss_per": "value"})
    _step_through(trainer, range(8))
    images = dataset.to_input(dataset.test)
    with torch.no_grad():
        result = trainer.trained.eval()(images)
        (low, low_quantizer), (high, high_quantizer) = trainer.layers
        assert isinstance(high, Above)
        mean, deviation = high.normaliser.mean, (high.normaliser.squares / high.normaliser.count).sqrt()
        normalised = ((low.layer.encode((images + 1) / 2) - mean) / deviation).float()
        latents = high.layer.encode(normalised.movedim(-1, 1))
        torch.testing.assert_close(result.latents, latents)
        codes = (latents[..., None, :] - high_quantizer.codebook).square().sum(-1).argmin(-1)
        assert torch.equal(result.quantized.codes.squeeze(-1), codes)
        below = high.layer.decode(high_quantizer.codebook[codes]).movedim(1, -1) * deviation + mean
        chosen = (below[..., None, :] - low_quantizer.codebook).square().sum(-1).argmin(-1)
        expected = 2 * low.layer.decode(low_quantizer.codebook[chosen]) - 1
    torch.testing.assert_close(result.output, expected)
    assert result.quantized.codes.shape == (8, 2, 2, 1)


@pytest.mark.parametrize(("method", "params"), [("vq_vae", {"init": "kmeans"}), ("residual_vq", {"depth": 2})])
def test_any_quantizer_may_be_that_of_the_layers(method: str, params: dict[str, Any], dataset: Dataset) -> None:
    trainer = _trainer(dataset, 2, method, params)
    trainer._start()
    _step_through(trainer, range(8))
    assert all(bool(value.isfinite().all()) for value in trainer.whole.state_dict().values())


def test_values_of_a_position_are_those_of_what_its_layer_learns(dataset: Dataset) -> None:
    found = [quantizer.values_per_position for _, quantizer in _trainer(dataset).layers]
    assert found == [3 * 4, 4 * 4, 4 * 4]


def test_what_cannot_be_trained_so_is_one_sentence(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="3 layers, one after another, need as many steps, not 2"):
        _trainer(dataset, steps=2)
    config = {**_trainer(dataset).config, "model": {"name": "conv", "width": 8, "latent_dim": 4}}
    with pytest.raises(UsageError, match="layerwise is for a model of several layers, not `conv`"):
        trainer_of(config, dataset, CPU)


def test_the_time_of_a_step_is_that_of_all_layers(dataset: Dataset) -> None:
    trainer = _trainer(dataset)
    entered: list[int] = []
    step = trainer.step
    trainer.step = lambda at: (entered.append(trainer.layer), step(at))[1]  # type: ignore[method-assign, func-returns-value]
    assert trainer.seconds_a_step(1, 1) > 0
    assert entered == [0, 0, 1, 1, 2, 2]


def test_weights_of_a_whole_stack_can_be_started_from(dataset: Dataset, tmp_path: Path) -> None:
    trained, other = _trainer(dataset), _trainer(dataset)
    _step_through(trained, range(12))
    save_weights(tmp_path / "weights.pt", trained.trained)
    load_weights(tmp_path / "weights.pt", other.whole)
    for layer in range(3):
        loaded = _own(other, layer)
        assert all(torch.equal(value, loaded[name]) for name, value in _own(trained, layer).items())
