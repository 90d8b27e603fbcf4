"""An arm as it is at a point of the grid, with all its parameters and training settings."""

from typing import Any

from benchmark.mistakes import checked
from benchmark.objectives import objectives
from benchmark.records.settings import Training
from benchmark.suite.grid import Point, options_at
from benchmark.suite.layers import check_layers
from benchmark.suite.memory import build_once, sizes
from benchmark.suite.released import check_family
from benchmark.suite.schema import Arm, SuiteFile
from benchmark.suite.starting import check_start
from methods import Quantizer
from methods.core.registry import get, resolve_params
from methods.core.usage import UsageError, did_you_mean, put_before


class NoSizeError(UsageError):
    """No codebook size of the grid is one that an arm can have."""


def arm_at(arm: Arm, point: Point, axes: dict[str, list[Any]]) -> Arm:
    """``arm`` as it is at ``point``.

    Raises:
        UsageError: the arm sets an axis itself, or a variant of it names no point of the grid.
    """
    params, training = dict(arm.params), dict(arm.training)
    for variant in arm.at:
        for name, value in variant.where.items():
            if name not in axes:
                raise UsageError(f"`at` of arm `{arm.arm}`: there is no axis `{name}`{did_you_mean(name, axes)}")
            if value not in axes[name]:
                raise UsageError(f"`at` of arm `{arm.arm}`: the axis `{name}` has no value {value!r}")
        if variant.where.items() <= point.items():
            params |= variant.params
            training |= variant.training
    for option in options_at("training", point):
        if option in training:
            raise UsageError(f"arm `{arm.arm}` sets `{option}`, which is an axis of the grid")
    return arm.model_copy(update={"params": params, "training": training, "at": []})


def resolve_arm(arm: Arm, point: Point, file: SuiteFile, built: set[str]) -> Arm:
    """``arm``, as `arm_at` left it, with all its parameters and training settings.

    Each different set of parameters is built once, which checks it; ``built`` holds what needs no building again.

    Raises:
        UsageError: a parameter or a setting is wrong.
    """
    method = get(arm.method)
    check_start(arm)
    check_family(arm, file)
    params = resolve_params(arm.method, arm.params)
    usual = resolve_params(arm.method, {})
    params = {name: value for name, value in params.items() if name not in method.added or value != usual[name]}
    unknown = [key for key in arm.training if key not in Training.model_fields]
    if unknown:
        raise UsageError(f"unknown training key `{unknown[0]}`{did_you_mean(unknown[0], Training.model_fields)}")
    settings = {**file.training.model_dump(), **options_at("training", point), **arm.training}
    try:
        training = checked(Training, settings)
    except UsageError as error:
        put_before(error, f"training of arm `{arm.arm}`")
        error.key = ("training", *error.key)
        raise
    check_layers(arm, training, file, point)
    _check_opponent({**file.objective.options, **options_at("objective", point)}, training.steps)
    least = objectives.trait(file.objective.name, "least_batch")
    if training.batch_size < least:
        raise UsageError(
            f"objective `{file.objective.name}` needs batches of at least {least}, for its discriminator normalises "
            f"over them; arm `{arm.arm}` has a batch_size of {training.batch_size}"
        )
    dim = {**file.model.options, **options_at("model", point)}.get("latent_dim", 64)
    if (described := repr((arm.method, params, dim))) not in built:
        _check_sizes(method, sorted(file.grid.codebook_size), dim if isinstance(dim, int) else 64, params)
        built.add(described)
    return arm.model_copy(update={"params": params, "training": training.model_dump()})


def _check_opponent(options: dict[str, Any], steps: int | None) -> None:
    """UsageError where the warm-up that ``options`` give the discriminators of an objective is longer than a run."""
    start, warmup = options.get("start", 0), options.get("warmup_steps", 0)
    if steps is not None and warmup and start + warmup > steps:
        since = f" from step {start:,} on" if start else ""
        raise UsageError(
            f"objective.warmup_steps ({warmup:,}{since}) must not go beyond the {steps:,} steps of the run"
        )


def _check_sizes(method: type[Quantizer], grid: list[int], dim: int, params: dict[str, Any]) -> None:
    """Build the method at the smallest size it can have, which checks its parameters.

    Raises:
        NoSizeError: no size of the grid can be had; one that can't is an explained cell.
        UsageError: a parameter is unfit.
    """
    reason: UsageError | None = None
    for size in grid:
        try:
            sizes(method, size, params)
        except UsageError as error:
            reason = reason or error
            continue
        build_once(method, size, dim, params)
        return
    raise NoSizeError(str(reason)) from reason
