"""The optimiser of a run: which parameters it trains at which rate, and how the rate changes over the run."""

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from benchmark.schedules import rate_factor
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
    return optimizer, LambdaLR(optimizer, rate_factor(settings))


def _optimizer(settings: dict[str, Any], groups: list[dict[str, Any]]) -> Optimizer:
    rate = settings["learning_rate"]
    if settings["optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings["momentum"])
    betas = tuple(settings["betas"])
    if settings["optimizer"] == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=betas, weight_decay=0.0, fused=True)
    return torch.optim.Adam(groups, lr=rate, betas=betas, fused=True)
