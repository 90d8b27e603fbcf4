"""From a suite file to runs: every check on what a person typed, then one key a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from benchmark.choices import Choices, apply_choice, read_choices
from benchmark.config import Arm, Component, SuiteFile, Training
from benchmark.data import datasets
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.report import check_declarations
from benchmark.run import Run, run_key
from benchmark.suite_file import Document, validate
from methods import Quantizer
from methods.errors import UsageError, did_you_mean
from methods.registry import get, resolve_params

SUITES = Path(__file__).parent.parent / "suites"
NOT_SCIENTIFIC = ("timeout", "devices", "deterministic")
"""Training settings that bound or place a run without changing what it computes beyond rounding."""


@dataclass(frozen=True)
class Cell:
    """One place in the suite's table: an arm at a size and seed, and its run or why there is none."""

    arm: str
    codebook_size: int
    seed: int
    run: Run | None
    unavailable: str | None = None


@dataclass
class Plan:
    """All cells of a suite."""

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
    components = _check_components(document, file)
    _check_reports(document, file)
    choices = read_choices(path.parent / file.tuned) if file.tuned and tuned else None
    arms = _select_arms(_check_arms(document, file, choices), methods)
    protocol = {**components, "training": file.training.model_dump(exclude=set(NOT_SCIENTIFIC))}
    protocol["evaluation"] = file.evaluation.model_dump()
    plan = Plan(_suite_name(path, overrides or {}), file, arms, seeds or list(range(file.seeds)), protocol, choices)
    keys: dict[str, str] = {}
    for arm in arms:
        for size in file.grid.codebook_size:
            for seed in plan.seeds:
                cell = _cell(plan, arm, size, seed, device)
                plan.cells.append(cell)
                if cell.run is not None and keys.setdefault(cell.run.key, arm.arm) != arm.arm:
                    where = document.where(("methods",))
                    raise UsageError(f"{where}: the arms `{keys[cell.run.key]}` and `{arm.arm}` are the same run twice")
    return plan


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


def _check_components(document: Document, file: SuiteFile) -> dict[str, Any]:
    """The scientific options of data set, model and objective."""
    checked: dict[str, Any] = {}
    chosen: list[tuple[str, Any, Component]] = [
        ("dataset", datasets, file.dataset),
        ("model", models, file.model),
        ("objective", objectives, file.objective),
    ]
    for section, components, component in chosen:
        try:
            options = components.identity(component.name, component.options)
        except UsageError as error:
            mistaken = next((key for key in component.options if f"`{key}`" in str(error)), "name")
            raise UsageError(f"{document.where((section, mistaken))}: {error}") from error
        checked[section] = {"name": component.name, **options}
    sizes = file.grid.codebook_size
    repeated = sorted({size for size in sizes if sizes.count(size) > 1})
    if repeated:
        raise UsageError(f"{document.where(('grid', 'codebook_size'))}: codebook size {repeated[0]} stands there twice")
    return checked


def _check_reports(document: Document, file: SuiteFile) -> None:
    for section, tables, plots in (("tables", file.tables, []), ("plots", [], file.plots)):
        try:
            check_declarations(tables, plots)
        except UsageError as error:
            raise UsageError(f"{document.where((section,))}: {error}") from error


def _check_arms(document: Document, file: SuiteFile, choices: Choices | None) -> list[Arm]:
    """The arms with resolved parameters, each method built once at the smallest size it is asked for."""
    dim = file.model.options.get("latent_dim", 64)
    checked: list[Arm] = []
    for index, arm in enumerate(file.methods):
        where = document.where(("methods", index))
        if arm.arm in [other.arm for other in checked]:
            raise UsageError(f"{where}: there are two arms called `{arm.arm}`; give one of them another `arm:` name")
        try:
            tuned = apply_choice(arm, choices) if choices else arm
            checked.append(check_arm(tuned, file, dim if isinstance(dim, int) else 64))
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error
    return checked


def check_arm(arm: Arm, file: SuiteFile, dim: int) -> Arm:
    """``arm`` with all its parameters and training settings resolved."""
    method = get(arm.method)
    params = resolve_params(arm.method, arm.params)
    unknown = [key for key in arm.training if key not in Training.model_fields]
    if unknown:
        raise UsageError(f"unknown training key `{unknown[0]}`{did_you_mean(unknown[0], Training.model_fields)}")
    try:
        training = Training.model_validate({**file.training.model_dump(), **arm.training})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        message = f"`{key}` {first['msg'].lower()}" if key else first["ctx"]["error"]
        raise UsageError(f"training of arm `{arm.arm}`: {message}") from error
    _check_sizes(method, sorted(file.grid.codebook_size), dim, params)
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
    training = arms[0].training
    selected = []
    for name in methods:
        if name not in by_name:
            get(name)
            params = resolve_params(name, {})
            by_name[name] = Arm(arm=name, method=name, params=params, training=training)
        selected.append(by_name[name])
    return selected


def _cell(plan: Plan, arm: Arm, size: int, seed: int, device: str) -> Cell:
    method = get(arm.method)
    if device == "cpu" and method.max_codebook_size_cpu is not None and size > method.max_codebook_size_cpu:
        limit = f"`{method.name}` is declared up to {method.max_codebook_size_cpu:,} codes on a CPU"
        return Cell(arm.arm, size, seed, None, limit)
    try:
        levels = method.resolve_size(size, **arm.params)
    except UsageError as error:
        return Cell(arm.arm, size, seed, None, str(error))
    config = {
        "method": arm.method,
        "version": method.version,
        "params": arm.params,
        "codebook_size": size if levels else None,
        **plan.protocol,
        "training": {key: value for key, value in arm.training.items() if key not in NOT_SCIENTIFIC},
        "seed": seed,
    }
    placing = {name: arm.training[name] for name in NOT_SCIENTIFIC}
    run = Run(run_key(config), arm.arm, plan.suite, config, plan.file.dataset.options, **placing)
    return Cell(arm.arm, size, seed, run)
