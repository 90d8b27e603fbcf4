"""The learning rate over a run, and who is trained at which rate."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.records.settings import Training
from benchmark.schedules import rate_factor
from benchmark.training.optimization import align_gradients, build_optimizer, restore
from benchmark.training.plateau import PlateauLR
from methods import create


def _settings(**given: Any) -> dict[str, Any]:
    return Training.model_validate({"steps": 10, "learning_rate": 0.5, **given}).model_dump()


@pytest.mark.parametrize(
    ("given", "factors"),
    [
        ({"steps": 4}, [1.0, 1.0, 1.0, 1.0, 1.0]),
        ({"steps": 4, "warmup_steps": 2}, [0.5, 1.0, 1.0, 1.0, 1.0]),
        ({"steps": 4, "schedule": "linear"}, [1.0, 0.75, 0.5, 0.25, 0.0]),
        ({"steps": 4, "schedule": "cosine"}, [1.0, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5, 0.0]),
        ({"steps": 4, "schedule": "plateau", "plateau_steps": 1, "warmup_steps": 2}, [0.5, 1.0, 1.0, 1.0, 1.0]),
        ({"steps": 6, "schedule": "linear", "warmup_steps": 2}, [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]),
        ({"steps": 4, "schedule": "linear", "final_share": 0.2}, [1.0, 0.8, 0.6, 0.4, 0.2]),
        ({"steps": 4, "schedule": "linear", "flat_share": 0.5}, [1.0, 1.0, 1.0, 0.5, 0.0]),
        ({"steps": 7, "schedule": "linear", "flat_share": 0.6, "warmup_steps": 2}, [0.5, 1, 1, 1, 1, 1, 0.5, 0.0]),
    ],
)
def test_the_rate_warms_up_and_falls_to_its_final_share(given: dict[str, Any], factors: list[float]) -> None:
    factor = rate_factor(_settings(**given))
    assert [factor(step) for step in range(len(factors))] == pytest.approx(factors, abs=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 1, "schedule": "cosine"}, "schedule cosine needs at least 2 steps, not 1"),
        (
            {"steps": 1, "schedule": "plateau", "plateau_steps": 1},
            "schedule plateau needs at least 2 steps, not 1",
        ),
        ({"warmup_steps": 11}, r"warmup_steps \(11\) must not exceed steps \(10\)"),
        ({"warmup_steps": 10, "schedule": "linear"}, "schedule linear needs steps after the 10 of the warm-up"),
        ({"final_share": 0.1}, "final_share is the end of a schedule"),
        ({"flat_share": 0.1}, "flat_share is what comes before a schedule falls"),
        ({"layerwise": True, "ema_decay": 0.9}, "ema_decay can't be combined with layerwise"),
        ({"layerwise": True, "continuous_share": 0.5}, "continuous_share can't be combined with layerwise"),
        (
            {"layerwise": True, "schedule": "plateau", "plateau_steps": 5},
            "schedule plateau can't be combined with layerwise",
        ),
        ({"final_share": 1.1, "schedule": "cosine"}, "less than or equal to 1"),
        ({"schedule": "plateau"}, "schedule plateau needs plateau_steps"),
        ({"schedule": "plateau", "plateau_steps": 11}, r"plateau_steps \(11\) must not exceed steps \(10\)"),
        ({"schedule": "plateau", "plateau_steps": 5, "final_share": 0.1}, "final_share is the end of a schedule"),
        ({"schedule": "plateau", "plateau_steps": 5, "continuous_share": 0.5}, "leave out continuous_share"),
        ({"schedule": "cosine", "plateau_patience": 1}, "plateau_patience is of the schedule plateau, not of cosine"),
        ({"plateau_factor": 1.0}, "less than 1"),
        ({"continuous_share": 1.0}, "less than 1"),
        ({"continuous_share": -0.1}, "greater than or equal to 0"),
        ({"continuous_share": 0.96}, r"continuous_share 0.96 of 10 steps leaves none"),
        ({"unquantized_share": 1.0}, "less than 1"),
        ({"unquantized_unit": "positions"}, "set unquantized_share"),
        ({"weight_decay": 0.1}, "weight_decay is for the optimizer adamw, not adam"),
    ],
)
def test_settings_that_contradict_each_other_are_one_sentence(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _settings(**given)


def test_younger_settings_are_in_a_key_only_where_they_are_set() -> None:
    before = {"steps", "batch_size", "learning_rate", "optimizer", "momentum", "warmup_steps", "clip_norm"}
    before |= {"ema_decay", "precision"}
    assert set(Training.scientific(_settings())) == before
    changed = {"schedule": "cosine", "freeze_encoder": True, "keep": "weights", "timeout": 3.0}
    assert set(Training.scientific(_settings(**changed))) == before | {"schedule", "freeze_encoder"}
    plateau = Training.scientific(_settings(schedule="plateau", plateau_steps=5))
    assert set(plateau) == before | {"schedule", "plateau_steps"}


def test_a_plateau_lowers_the_rates_of_all_groups_and_goes_on_after_a_stop() -> None:
    def made() -> tuple[torch.optim.Optimizer, PlateauLR]:
        settings = _settings(schedule="plateau", plateau_steps=1, plateau_patience=2, quantizer_learning_rate=0.1)
        optimizer, scheduler = build_optimizer(settings, nn.Linear(2, 2), create("vq_vae", 4, 2))
        assert optimizer is not None
        assert isinstance(scheduler, PlateauLR)
        return optimizer, scheduler

    errors = [1.0, 0.9, 0.9, 0.89999, 0.95, 0.95, 0.95, 0.95, 0.8, 0.9, 0.9, 0.9]
    optimizer, scheduler = made()
    rates = []
    for number, error in enumerate(errors):
        if number == 6:
            state, (optimizer, scheduler) = deepcopy([optimizer.state_dict(), scheduler.state_dict()]), made()
            optimizer.load_state_dict(state[0])
            scheduler.load_state_dict(state[1])
        optimizer.step()
        scheduler.step()
        scheduler.saw(error)
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        rates.append(tuple(scheduler.get_last_lr()))
    assert rates == [(0.5, 0.1)] * 4 + [(0.25, 0.05)] * 3 + [(0.125, 0.025)] * 4 + [(0.0625, 0.0125)]


def test_decay_acts_on_the_models_matrices_and_the_quantizer_may_have_its_own_rate() -> None:
    model, quantizer = nn.Linear(4, 3), create("vq_vae", 8, 4)
    settings = _settings(optimizer="adamw", weight_decay=0.1, quantizer_learning_rate=0.01)
    optimizer, _ = build_optimizer(settings, model, quantizer)
    assert isinstance(optimizer, torch.optim.AdamW)
    found = [(group["params"], group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert [(rate, decay) for _, rate, decay in found] == [(0.5, 0.1), (0.5, 0.0), (0.01, 0.0)]
    assert [parameters[0] for parameters, *_ in found] == [model.weight, model.bias, *quantizer.parameters()]
    same, _ = build_optimizer(_settings(), model, quantizer)
    assert same is not None
    assert [group["lr"] for group in same.param_groups] == [0.5, 0.5]
    assert build_optimizer(_settings(), nn.Identity(), create("kmeans", 8, 4)) == (None, None)


def turned(rows: torch.Tensor) -> torch.Tensor:
    """The same elements, column after column."""
    return rows.t().contiguous().t()


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("own", ["rows", "columns", "gaps"])
@pytest.mark.parametrize("gradient", ["rows", "columns"])
def test_a_weight_of_any_layout_is_trained_alike(optimizer: str, own: str, gradient: str) -> None:
    """A plug-in may keep its codebook turned, or as a part of something larger, and write its gradient itself."""
    start = torch.arange(24.0).view(4, 6)
    forms = {"rows": start.clone(), "columns": turned(start), "gaps": torch.cat([start, start], 1)[:, :6]}
    trained = nn.Module()
    trained.weight = nn.Parameter(forms[own])
    assert trained.weight.shape == (4, 6)
    updates, _ = build_optimizer(_settings(optimizer=optimizer), trained, create("kmeans", 8, 4))
    plain = nn.Module()
    plain.weight = nn.Parameter(start.clone())
    expected, _ = build_optimizer(_settings(optimizer=optimizer), plain, create("kmeans", 8, 4))
    assert updates is not None
    assert expected is not None
    for step in range(3):
        slopes = torch.sin(start + step)
        trained.weight.grad = turned(slopes) if gradient == "columns" else slopes.clone()
        plain.weight.grad = slopes.clone()
        align_gradients([trained.weight])
        updates.step()
        expected.step()
        torch.testing.assert_close(trained.weight, plain.weight, rtol=1e-6, atol=1e-6)


def test_a_saved_optimiser_goes_on_with_weights_of_another_layout() -> None:
    """A model may be stored otherwise since its checkpoint was written: channels last, say."""
    start = torch.arange(24.0).view(4, 6)
    trained: list[nn.Module] = []
    optimizers = []
    for form in (start.clone(), turned(start)):
        model = nn.Module()
        model.weight = nn.Parameter(form)
        optimizer, _ = build_optimizer(_settings(), model, create("kmeans", 8, 4))
        assert optimizer is not None
        trained.append(model)
        optimizers.append(optimizer)
    before, after = trained
    for step in range(4):
        if step == 2:
            after.weight.data.copy_(before.weight)
            restore(optimizers[1], deepcopy(optimizers[0].state_dict()))
        for model, optimizer in list(zip(trained, optimizers, strict=True))[: 1 if step < 2 else 2]:
            model.weight.grad = torch.sin(start + step)
            align_gradients([model.weight])
            optimizer.step()
    torch.testing.assert_close(after.weight, before.weight, rtol=1e-6, atol=1e-6)
