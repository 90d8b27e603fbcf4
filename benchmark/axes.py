"""The axes of a suite's grid beside the codebook size: their points, and what a point sets."""

import itertools
from typing import Any

from benchmark.config import Arm, SuiteFile, Training
from benchmark.suite_file import Document
from methods.core.usage import UsageError, did_you_mean

SECTIONS = ("dataset", "model", "objective", "training")
Point = dict[str, Any]
"""A value for every axis but the codebook size."""


def points(document: Document, file: SuiteFile) -> list[Point]:
    """All points of the grid, the last axis fastest; one empty point where there is no axis.

    Raises:
        UsageError: an axis is not a dotted key with a list of different plain values.
    """
    sizes = file.grid.codebook_size
    for name, values in {"codebook_size": sizes, **file.grid.axes}.items():
        where = document.where(("grid", name))
        if name != "codebook_size":
            _check_name(name, file, where)
        if not isinstance(values, list) or not values or not all(isinstance(v, int | float | str) for v in values):
            raise UsageError(f"{where}: the axis `{name}` must be a list of numbers or words, not {values!r}")
        repeated = [value for index, value in enumerate(values) if value in values[:index]]
        if repeated:
            label = "codebook size" if name == "codebook_size" else name
            raise UsageError(f"{where}: {label} {repeated[0]} stands there twice")
    return [dict(zip(file.grid.axes, values, strict=True)) for values in itertools.product(*file.grid.axes.values())]


def _check_name(name: str, file: SuiteFile, where: str) -> None:
    section, dot, option = name.partition(".")
    if section not in SECTIONS or not dot or not option.isidentifier():
        known = ", ".join(f"`{known}.…`" for known in SECTIONS)
        hint = did_you_mean(name, ["codebook_size"])
        raise UsageError(f"{where}: an axis of the grid is `codebook_size` or one of {known}, not `{name}`{hint}")
    if section == "training" and option not in Training.model_fields:
        raise UsageError(f"{where}: unknown training key `{option}`{did_you_mean(option, Training.model_fields)}")
    chosen = getattr(file, section)
    if option in (chosen.model_fields_set if section == "training" else chosen.options):
        raise UsageError(
            f"{where}: `{name}` is an axis of the grid and set besides; `--set grid.{name}=[...]` sets the axis"
        )


def options_at(section: str, point: Point) -> dict[str, Any]:
    """What ``point`` sets in ``section``."""
    return {name.partition(".")[2]: value for name, value in point.items() if name.partition(".")[0] == section}


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
