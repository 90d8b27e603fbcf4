"""The arms of a suite: tuned, selected, and as they are at every point of the grid."""

from typing import Any

import torch
from pydantic import ValidationError

from benchmark.axes import Point, arm_at, options_at
from benchmark.choices import Choices, apply_choice
from benchmark.config import Arm, SuiteFile, Training
from benchmark.suite_file import Document
from methods import Quantizer
from methods.core.registry import get, resolve_params
from methods.core.usage import UsageError, did_you_mean


def named_arms(document: Document, file: SuiteFile) -> list[Arm]:
    """The arms of the file, each with a name of its own."""
    arms: list[Arm] = []
    for index, arm in enumerate(file.methods):
        if arm.arm in [other.arm for other in arms]:
            where = document.where(("methods", index))
            raise UsageError(f"{where}: there are two arms called `{arm.arm}`; give one of them another `arm:` name")
        arms.append(arm)
    return arms


def select_arms(arms: list[Arm], methods: list[str] | None) -> list[Arm]:
    """Those called ``methods``, which may also be registered methods that are no arms of the suite; all for none."""
    if not methods:
        return arms
    by_name = {arm.arm: arm for arm in arms}
    for name in methods:
        get(by_name[name].method if name in by_name else name)
    by_name |= {name: Arm(arm=name, method=name) for name in methods if name not in by_name}
    return [by_name[name] for name in methods]


def arm_everywhere(
    document: Document, file: SuiteFile, arm: Arm, choices: Choices | None, places: list[tuple[Point, int]]
) -> list[Arm]:
    """``arm`` at every place, a point and a codebook size each, with tuned settings and resolved parameters.

    Each different set of parameters is built once.
    """
    index = next((index for index, other in enumerate(file.methods) if other.arm == arm.arm), 0)
    checked: list[Arm] = []
    built: set[str] = set()
    # An arm may speak of a point that an override leaves out.
    written = document.data.get("grid", {})
    axes = {name: [*values, *written.get(name, [])] for name, values in file.grid.axes.items()}
    try:
        for point, size in places:
            tuned = apply_choice(arm, choices, size) if choices else arm
            checked.append(_resolved(arm_at(tuned, point, axes), file, point, built))
    except UsageError as error:
        raise UsageError(f"{document.where(('methods', index))}: {error}") from error
    return checked


def _resolved(arm: Arm, file: SuiteFile, point: Point, built: set[str]) -> Arm:
    """``arm`` with all its parameters and training settings resolved; ``built`` holds what needs no building again."""
    method = get(arm.method)
    params = resolve_params(arm.method, arm.params)
    usual = resolve_params(arm.method, {})
    params = {name: value for name, value in params.items() if name not in method.added or value != usual[name]}
    unknown = [key for key in arm.training if key not in Training.model_fields]
    if unknown:
        raise UsageError(f"unknown training key `{unknown[0]}`{did_you_mean(unknown[0], Training.model_fields)}")
    settings = {**file.training.model_dump(), **options_at("training", point), **arm.training}
    try:
        training = Training.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        message = f"`{key}` {first['msg'].lower()}" if key else first["ctx"]["error"]
        raise UsageError(f"training of arm `{arm.arm}`: {message}") from error
    dim = {**file.model.options, **options_at("model", point)}.get("latent_dim", 64)
    if (described := repr((params, dim))) not in built:
        _check_sizes(method, sorted(file.grid.codebook_size), dim if isinstance(dim, int) else 64, params)
        built.add(described)
    return arm.model_copy(update={"params": params, "training": training.model_dump()})


def _check_sizes(method: type[Quantizer], sizes: list[int], dim: int, params: dict[str, Any]) -> None:
    """Build the method at the smallest size it can have, which checks its parameters.

    Raises:
        UsageError: a parameter is unfit, or no size of the grid can be had; one that can't is an explained cell.
    """
    reason: UsageError | None = None
    for size in sizes:
        try:
            method.resolve_size(size, **params)
        except UsageError as error:
            reason = reason or error
            continue
        with torch.random.fork_rng(devices=[]):
            method(size, dim, **params)
        return
    assert reason is not None
    raise reason
