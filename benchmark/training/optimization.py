"""The optimiser of a run: which parameters it trains at which rate, and how the rate changes over the run."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from benchmark.schedules import rate_factor
from benchmark.training.plateau import PlateauLR
from methods import Quantizer


def build_optimizer(
    settings: dict[str, Any], model: nn.Module, quantizer: Quantizer
) -> tuple[Optimizer | None, LambdaLR | None]:
    """Optimiser and schedule for the ``training`` settings of a run; None where there is nothing to train.

    The quantizer has the learning rate of its own that the settings give it, else the model's. Weight decay acts on the
    model's weight matrices alone: shrinking a codebook would be another method.
    """
    rate = settings["learning_rate"]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    others = [parameter for parameter in trained if parameter.ndim < 2]
    if settings["weight_decay"]:
        groups = [{"params": matrices, "weight_decay": settings["weight_decay"]}, {"params": others}]
    else:
        groups = [{"params": trained}]
    groups = [{"lr": rate, **group} for group in groups if group["params"]]
    groups += quantizer.parameter_groups(settings["quantizer_learning_rate"] or rate)
    if not groups:
        return None, None
    optimizer = _optimizer(settings, groups)
    if settings["schedule"] == "plateau":
        return optimizer, PlateauLR(optimizer, settings)
    return optimizer, LambdaLR(optimizer, rate_factor(settings))


def _optimizer(settings: dict[str, Any], groups: list[dict[str, Any]]) -> Optimizer:
    rate = settings["learning_rate"]
    # Fused kernels walk the memory of a parameter from end to end; in one with gaps it is not all the parameter's.
    fused = all(_is_dense(parameter) for group in groups for parameter in group["params"])
    if settings["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings["momentum"])
    betas = tuple(settings["betas"])
    if settings["optimizer"] == "radam":
        return torch.optim.RAdam(groups, lr=rate, betas=betas)
    if settings["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=betas, weight_decay=0.0, fused=fused)
    return torch.optim.Adam(groups, lr=rate, betas=betas, fused=fused)


def align_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every gradient the layout of its parameter: fused optimisers walk the memory of both side by side.

    Autograd does so by itself; a method that writes a gradient may not.
    """
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad = _like(parameter, parameter.grad)


def restore(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Put back the ``state_dict`` of an optimiser, whatever the layout that its parameters had then."""
    optimizer.load_state_dict(state)
    for parameter, own in optimizer.state.items():
        for name, value in own.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                own[name] = _like(parameter, value)


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """``value`` in the layout of ``parameter``, itself where it has that; steps along a side of one mean nothing."""
    sides = [side for side, length in enumerate(parameter.shape) if length > 1]
    if all(value.stride(side) == parameter.stride(side) for side in sides):
        return value
    return torch.empty_like(parameter).copy_(value)


def _is_dense(parameter: Tensor) -> bool:
    """Whether its memory has neither gaps nor overlaps, in whatever order."""
    return torch.empty_like(parameter).stride() == parameter.stride()
