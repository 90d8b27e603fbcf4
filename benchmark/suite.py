"""From a suite file to runs: every check on what a person typed, then one key a run."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.arms import arm_everywhere, named_arms, select_arms
from benchmark.axes import Point, options_at, points
from benchmark.choices import Choices, read_choices
from benchmark.config import Arm, Component, SuiteFile, Training
from benchmark.data import datasets
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.run import Run, run_key
from benchmark.suite_file import Document, resolve_evaluation, validate
from methods.core.registry import get
from methods.core.usage import UsageError, did_you_mean

SUITES = Path(__file__).parent.parent / "suites"


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
    """All cells of a suite. ``protocol`` is what all runs share: without the axes of the grid.

    ``response``: the file of all trials behind ``choices``.
    """

    suite: str
    file: SuiteFile
    arms: list[Arm]
    seeds: list[int]
    protocol: dict[str, Any]
    choices: Choices | None = None
    response: Path | None = None
    cells: list[Cell] = field(default_factory=list)
    key_at: Callable[[str, Point, int, int], str | None] = lambda *_: None
    """The key that an arm's run has, as the suite now is, at any point, codebook size and seed, planned or not."""

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
    _check_reports(document, file, grid[0])
    choices = read_choices(path.parent / file.tuned, file.training.schedule) if file.tuned and tuned else None
    known = named_arms(document, file)
    arms = select_arms(known, methods)
    places = list(itertools.product(grid, file.grid.codebook_size))
    variants = {arm.arm: arm_everywhere(document, file, arm, choices, places) for arm in [*known, *arms]}
    plan = Plan(
        suite_name(path, overrides or {}),
        file,
        [variants[arm.arm][0].model_copy(update={"at": arm.at}) for arm in arms],
        seeds or list(range(file.seeds)),
        _without_axes(settings[0], file),
        choices,
        (path.parent / file.tuned).with_suffix(".csv") if choices and file.tuned else None,
    )
    at_point = dict(zip(map(repr, grid), settings, strict=True))
    for arm in arms:
        for variant, (point, size) in zip(variants[arm.arm], places, strict=True):
            for seed in plan.seeds:
                plan.cells.append(_cell(plan.suite, variant, point, at_point[repr(point)], size, seed, device))
    _check_distinct(plan, document)
    by_name = {arm.arm: arm for arm in arms}

    @cache
    def at(arm: str, point: tuple[tuple[str, Any], ...], size: int) -> tuple[Arm, "_Settings"]:
        [variant] = arm_everywhere(document, file, by_name[arm], choices, [(dict(point), size)])
        return variant, _settings(document, file, dict(point), overrides or {})

    def key_at(arm: str, point: Point, size: int, seed: int) -> str | None:
        try:
            variant, settings = at(arm, tuple(point.items()), size)
        except UsageError:
            return None
        run = _cell(plan.suite, variant, point, settings, size, seed, "any").run
        return run.key if run else None

    plan.key_at = key_at
    return plan


def _check_distinct(plan: Plan, document: Document) -> None:
    """Raise a `UsageError` if two arms have a run in common."""
    arms: dict[str, str] = {}
    for cell in plan.cells:
        if cell.run is not None and arms.setdefault(cell.run.key, cell.arm) != cell.arm:
            same = f"`{arms[cell.run.key]}` and `{cell.arm}`"
            raise UsageError(f"{document.where(('methods',))}: the arms {same} are the same run twice")


def suite_name(path: Path, overrides: dict[str, Any]) -> str:
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
    checked["training"] = Training.scientific(training)
    modality = datasets.trait(file.dataset.name, "modality")
    made_for = models.trait(file.model.name, "modality")
    if made_for and made_for != modality:
        where = document.where(("model", "name"))
        held = f"`{file.dataset.name}` holds `{modality}`"
        raise UsageError(f"{where}: model `{file.model.name}` is for `{made_for}` data, but {held}")
    checked["evaluation"] = resolve_evaluation(document, file, modality, overrides)
    return _Settings(checked, {**file.dataset.options, **options_at("dataset", point)})


def _without_axes(settings: _Settings, file: SuiteFile) -> dict[str, Any]:
    """The protocol less what the axes of the grid change."""
    return {
        section: {key: value for key, value in options.items() if f"{section}.{key}" not in file.grid.axes}
        for section, options in settings.protocol.items()
    }


def _known_arms(document: Document, file: SuiteFile) -> set[str]:
    """The arms of the file as it is written and as overrides leave it: a table may speak of both."""
    written = document.data.get("methods")
    entries = written if isinstance(written, list) else []
    names = {str(entry.get("arm", entry.get("method"))) if isinstance(entry, dict) else str(entry) for entry in entries}
    return names | {arm.arm for arm in file.methods}


def _check_reports(document: Document, file: SuiteFile, point: Point) -> None:
    if not file.tables and not file.plots:
        return
    from benchmark.report import check_plots, check_tables  # pandas and the plots, which most suites needn't wait for

    for section in ("tables", "plots"):
        try:
            if section == "tables":
                check_tables(
                    file.tables, _known_arms(document, file), {"codebook_size": file.grid.codebook_size[0], **point}
                )
            else:
                check_plots(file.plots, file.tables)
        except UsageError as error:
            raise UsageError(f"{document.where((section,))}: {error}") from error


def _cell(suite: str, arm: Arm, point: Point, settings: _Settings, size: int, seed: int, device: str) -> Cell:
    method = get(arm.method)
    try:
        if device == "cpu":
            method.check_on_cpu(size, **arm.params)
        levels = method.resolve_size(size, **arm.params)
    except UsageError as error:
        return Cell(arm.arm, size, seed, None, str(error), point)
    config = {
        "method": arm.method,
        "version": method.version,
        "params": arm.params,
        "codebook_size": size if levels else None,
        **settings.protocol,
        "training": Training.scientific(arm.training),
        "seed": seed,
    }
    placing = {name: arm.training[name] for name in Training.PLACING}
    run = Run(run_key(config), arm.arm, suite, config, settings.dataset_options, **placing)
    return Cell(arm.arm, size, seed, run, None, point)
