"""From a suite file to runs: every check on what a person typed, then one key a run."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from benchmark.axes import Point, arm_at, options_at, points
from benchmark.choices import Choices, apply_choice, read_choices
from benchmark.config import Arm, Component, SuiteFile, Training
from benchmark.data import datasets
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.run import Run, run_key
from benchmark.suite_file import Document, validate, validate_evaluation
from methods import Quantizer
from methods.errors import UsageError, did_you_mean
from methods.registry import get, resolve_params

SUITES = Path(__file__).parent.parent / "suites"
NOT_SCIENTIFIC = ("timeout", "devices", "deterministic")
"""Training settings that bound or place a run without changing what it computes beyond rounding."""


@dataclass(frozen=True)
class Cell:
    """One place in the suite's table: an arm at a point of the grid and a seed, and its run or why there is none."""

    arm: str
    codebook_size: int
    seed: int
    run: Run | None
    unavailable: str | None = None
    point: Point = field(default_factory=dict)


@dataclass
class Plan:
    """All cells of a suite. ``protocol`` is what all runs share: without the axes of the grid."""

    suite: str
    file: SuiteFile
    arms: list[Arm]
    seeds: list[int]
    protocol: dict[str, Any]
    choices: Choices | None = None
    cells: list[Cell] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        """Every run once, smaller codebooks and lower seeds first."""
        unique = {cell.run.key: cell.run for cell in self.cells if cell.run is not None}
        return sorted(unique.values(), key=lambda run: (run.config["seed"], run.config["codebook_size"] or 0))


def find_suite(name: str) -> Path:
    """The file of a suite: a path, or a name in ``suites/``."""
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UsageError(f"there is no suite file {name}")
        return path
    file = SUITES / f"{name}.yaml"
    if not file.is_file():
        known = available_suites()
        raise UsageError(f"unknown suite `{name}`{did_you_mean(name, known)}; there are: {', '.join(known)}")
    return file


def available_suites() -> list[str]:
    """Names of the suites in ``suites/``."""
    return sorted(file.stem for file in SUITES.glob("*.yaml"))


def plan_suite(
    name: str,
    *,
    overrides: dict[str, Any] | None = None,
    methods: list[str] | None = None,
    seeds: list[int] | None = None,
    device: str = "cpu",
    tuned: bool = True,
) -> Plan:
    """Read a suite and lay out its cells.

    Args:
        name: a suite's name or a YAML file.
        overrides: dotted keys over the file's content (``--set``).
        methods: arms of the suite, or any registered method, to run instead of all arms.
        seeds: instead of those of the suite.
        device: ``cpu`` applies the sizes that a method declares for a CPU.
        tuned: whether the suite's file of tuned choices is applied.

    Raises:
        UsageError: anything a person typed wrong.
    """
    path = find_suite(name)
    document = Document(path)
    file = validate(document, overrides or {})
    grid = points(document, file)
    settings = [_settings(document, file, point, overrides or {}) for point in grid]
    _check_reports(document, file)
    choices = read_choices(path.parent / file.tuned) if file.tuned and tuned else None
    known = _tuned_arms(document, file, choices)
    arms = _select_arms(known, methods)
    variants = {arm.arm: _arm_everywhere(document, file, arm, grid) for arm in [*known, *arms]}
    shown = [variants[arm.arm][0].model_copy(update={"at": arm.at}) for arm in arms]
    plan = Plan(
        _suite_name(path, overrides or {}),
        file,
        shown,
        seeds or list(range(file.seeds)),
        _without_axes(settings[0], file),
        choices,
    )
    _lay_out(plan, [variants[arm.arm] for arm in arms], list(zip(grid, settings, strict=True)), device)
    _check_distinct(plan, document)
    return plan


def _lay_out(plan: Plan, arms: list[list[Arm]], grid: list[tuple[Point, "_Settings"]], device: str) -> None:
    """Add the cells: arms, each as it is at every point, by points by sizes by seeds."""
    for variants in arms:
        for variant, (point, settings) in zip(variants, grid, strict=True):
            for size, seed in itertools.product(plan.file.grid.codebook_size, plan.seeds):
                plan.cells.append(_cell(plan.suite, variant, point, settings, size, seed, device))


def _check_distinct(plan: Plan, document: Document) -> None:
    """Raise a `UsageError` if two arms have a run in common."""
    arms: dict[str, str] = {}
    for cell in plan.cells:
        if cell.run is not None and arms.setdefault(cell.run.key, cell.arm) != cell.arm:
            same = f"`{arms[cell.run.key]}` and `{cell.arm}`"
            raise UsageError(f"{document.where(('methods',))}: the arms {same} are the same run twice")


def _suite_name(path: Path, overrides: dict[str, Any]) -> str:
    """The suite's folder under results/: an overridden protocol gets a folder of its own."""
    own = ("dataset", "model", "objective", "training", "evaluation")
    changed = [f"{key}={value}" for key, value in sorted(overrides.items()) if key.split(".")[0] in own]
    name = "".join(char if char.isalnum() or char in "._-=@" else "_" for char in "@".join([path.stem, *changed]))
    # Never hidden, never `.` or `..`, and within a file system's 255 bytes.
    name = name.encode()[:200].decode(errors="ignore").lstrip(".")
    if not name:
        raise UsageError(f"{path}: a suite's results lie in a folder named after its file, so it needs a name")
    return name


@dataclass(frozen=True)
class _Settings:
    """What all arms share at a point: the scientific options, and the data set's as typed, which may hold paths."""

    protocol: dict[str, Any]
    dataset_options: dict[str, Any]


def _settings(document: Document, file: SuiteFile, point: Point, overrides: dict[str, Any]) -> _Settings:
    """The options of data set, model, objective, training and evaluation at ``point``."""
    checked: dict[str, Any] = {}
    chosen: list[tuple[str, Any, Component]] = [
        ("dataset", datasets, file.dataset),
        ("model", models, file.model),
        ("objective", objectives, file.objective),
    ]
    for section, components, component in chosen:
        own = options_at(section, point)
        try:
            options = components.identity(component.name, {**component.options, **own})
        except UsageError as error:
            mistaken = next((key for key in [*own, *component.options] if f"`{key}`" in str(error)), "name")
            key = ("grid", f"{section}.{mistaken}") if mistaken in own else (section, mistaken)
            needs = f"; this suite needs {file.needs}" if file.needs else ""
            raise UsageError(f"{document.where(key)}: {error}{needs}") from error
        checked[section] = {"name": component.name, **options}
    training = {**file.training.model_dump(), **options_at("training", point)}
    checked["training"] = {key: value for key, value in training.items() if key not in NOT_SCIENTIFIC}
    modality = datasets.trait(file.dataset.name, "modality")
    checked["evaluation"] = validate_evaluation(document, file, modality, overrides)
    return _Settings(checked, {**file.dataset.options, **options_at("dataset", point)})


def _without_axes(settings: _Settings, file: SuiteFile) -> dict[str, Any]:
    """The protocol less what the axes of the grid change."""
    return {
        section: {key: value for key, value in options.items() if f"{section}.{key}" not in file.grid.axes}
        for section, options in settings.protocol.items()
    }


def _check_reports(document: Document, file: SuiteFile) -> None:
    if not file.tables and not file.plots:
        return
    from benchmark.report import check_plots, check_tables  # pandas and the plots, which most suites needn't wait for

    for section in ("tables", "plots"):
        try:
            check_tables(file.tables) if section == "tables" else check_plots(file.plots, file.tables)
        except UsageError as error:
            raise UsageError(f"{document.where((section,))}: {error}") from error


def _tuned_arms(document: Document, file: SuiteFile, choices: Choices | None) -> list[Arm]:
    """The arms of the file with their tuned settings."""
    arms: list[Arm] = []
    for index, arm in enumerate(file.methods):
        where = document.where(("methods", index))
        if arm.arm in [other.arm for other in arms]:
            raise UsageError(f"{where}: there are two arms called `{arm.arm}`; give one of them another `arm:` name")
        try:
            arms.append(apply_choice(arm, choices) if choices else arm)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    return arms


def _arm_everywhere(document: Document, file: SuiteFile, arm: Arm, grid: list[Point]) -> list[Arm]:
    """``arm`` at every point with resolved parameters, built once for each different set of them."""
    index = next((index for index, other in enumerate(file.methods) if other.arm == arm.arm), 0)
    checked: list[Arm] = []
    built: set[str] = set()
    # An arm may speak of a point that an override leaves out.
    written = document.data.get("grid", {})
    axes = {name: [*values, *written.get(name, [])] for name, values in file.grid.axes.items()}
    try:
        for point in grid:
            checked.append(check_arm(arm_at(arm, point, axes), file, point, built))
    except UsageError as error:
        raise UsageError(f"{document.where(('methods', index))}: {error}") from error
    return checked


def check_arm(arm: Arm, file: SuiteFile, point: Point, built: set[str]) -> Arm:
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


def _select_arms(arms: list[Arm], methods: list[str] | None) -> list[Arm]:
    if not methods:
        return arms
    by_name = {arm.arm: arm for arm in arms}
    for name in methods:
        get(by_name[name].method if name in by_name else name)
    return [by_name.get(name, Arm(arm=name, method=name)) for name in methods]


def _cell(suite: str, arm: Arm, point: Point, settings: _Settings, size: int, seed: int, device: str) -> Cell:
    method = get(arm.method)
    if device == "cpu" and method.max_codebook_size_cpu is not None and size > method.max_codebook_size_cpu:
        limit = f"`{method.name}` is declared up to {method.max_codebook_size_cpu:,} codes on a CPU"
        return Cell(arm.arm, size, seed, None, limit, point)
    try:
        levels = method.resolve_size(size, **arm.params)
    except UsageError as error:
        return Cell(arm.arm, size, seed, None, str(error), point)
    config = {
        "method": arm.method,
        "version": method.version,
        "params": arm.params,
        "codebook_size": size if levels else None,
        **settings.protocol,
        "training": {key: value for key, value in arm.training.items() if key not in NOT_SCIENTIFIC},
        "seed": seed,
    }
    placing = {name: arm.training[name] for name in NOT_SCIENTIFIC}
    run = Run(run_key(config), arm.arm, suite, config, settings.dataset_options, **placing)
    return Cell(arm.arm, size, seed, run, None, point)
