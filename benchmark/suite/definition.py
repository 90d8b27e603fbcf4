"""A suite as its file and its overrides define it: its points, its arms, and the run of an arm at any place."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmark.components import Components, sources_of
from benchmark.data import datasets
from benchmark.document import Document
from benchmark.metrics.parts.extra import sources as metric_sources
from benchmark.models import models
from benchmark.objectives import objectives
from benchmark.records.run import Run, run_key, suite_folder
from benchmark.records.settings import Training
from benchmark.suite.arms import arm_at, resolve_arm
from benchmark.suite.choices import Choice, apply_choice, check_schedule, read_choices
from benchmark.suite.file import find_suite, resolve_evaluation, validate
from benchmark.suite.grid import Point, check_axis, check_number, options_at, points
from benchmark.suite.memory import sizes
from benchmark.suite.released import checkpoint_of, content, untrained
from benchmark.suite.schema import Arm, Component
from benchmark.suite.starting import start_of
from methods.core.registry import get
from methods.core.registry import sources as method_sources
from methods.core.usage import UsageError, put_before


class Suite:
    """A suite file under overrides. All of it is checked but its arms, each of which is where it is asked for.

    Attributes:
        document: the file as it is written.
        file: the content under the overrides.
        points: of the grid, without the codebook size.
        arms: those of the file, by name.
        chosen_in: the file of tuned choices, if there is one and it is wanted.
        choices: what it holds.
        name: of the suite's folder under results/.

    Args:
        name: a suite's name or a YAML file.
        overrides: dotted keys over the file's content (``--set``).
        tuned: whether the suite's file of tuned choices is applied.

    Raises:
        UsageError: anything a person typed wrong.
    """

    def __init__(self, name: str, overrides: dict[str, Any], *, tuned: bool = True) -> None:
        path = find_suite(name)
        self.document, self._overrides = Document(path), overrides
        self.file = validate(self.document, overrides)
        for axis, values in {"codebook_size": self.file.grid.codebook_size, **self.file.grid.axes}.items():
            with self.document.at("grid", axis):
                check_axis(axis, values, self.file)
        with self.document.at("grid"):
            check_number(self.file)
        self.points = points(self.file.grid)
        self._settings: dict[str, dict[str, Any]] = {}
        self._components: dict[str, dict[str, Any]] = {}
        for point in self.points:
            self.settings(point)
        self._check_reports()
        self.chosen_in = path.parent / self.file.tuned if self.file.tuned and tuned else None
        self.choices = read_choices(self.chosen_in, self.file.dataset.name) if self.chosen_in else None
        self.arms: dict[str, Arm] = {}
        for index, arm in enumerate(self.file.methods):
            with self.document.at("methods", index):
                if arm.arm in self.arms:
                    raise UsageError(f"there are two arms called `{arm.arm}`; give one of them another `arm:` name")
            self.arms[arm.arm] = arm
        self._resolved: dict[str, Arm] = {}
        self._built: set[str] = set()
        self.name = suite_name(path, overrides)

    @property
    def places(self) -> list[tuple[Point, int]]:
        """Every point with every codebook size."""
        return list(itertools.product(self.points, self.file.grid.codebook_size))

    @property
    def protocol(self) -> dict[str, Any]:
        """What all runs share: the settings without the axes of the grid."""
        return {
            section: {key: value for key, value in options.items() if f"{section}.{key}" not in self.file.grid.axes}
            for section, options in self.settings(self.points[0]).items()
        }

    def arm(self, name: str) -> Arm:
        """The arm called ``name``; of a registered method that is no arm of the suite, one without settings."""
        if name in self.arms:
            return self.arms[name]
        get(name)
        return Arm(arm=name, method=name)

    def chosen(self, arm: str) -> list[Choice]:
        """What tuning chose for the arm, one choice a tuned size."""
        return self.choices.arms.get(arm, []) if self.choices else []

    @property
    def response(self) -> Path | None:
        """The file of all trials behind the choices."""
        return self.chosen_in.with_suffix(".csv") if self.chosen_in else None

    def arm_at(self, arm: Arm, point: Point, size: int) -> Arm:
        """``arm``, which may be none of the suite's, tuned and with all its parameters and training settings.

        Raises:
            UsageError: something is wrong with it there.
        """
        key = repr((arm, point, size))
        if key not in self._resolved:
            listed, axes = self.document.listed, self.file.grid.axes
            # An arm may speak of a point that an override leaves out.
            known = {name: [*values, *listed("grid", name)] for name, values in axes.items()}
            index = list(self.arms).index(arm.arm) if arm.arm in self.arms else 0
            with self.document.at("methods", index), _of_arm(arm.arm):
                tuned = apply_choice(arm, self.choices, size) if self.choices else arm
                here = resolve_arm(arm_at(tuned, point, known), point, self.file, self._built)
                if self.choices and self.chosen_in and tuned is not arm:
                    check_schedule(self.chosen_in, self.choices, here.training["schedule"])
                self._resolved[key] = here
        return self._resolved[key]

    def run(self, arm: Arm, point: Point, size: int, seed: int) -> Run:
        """The run of ``arm`` at a point, a codebook size and a seed, whether the grid has them or not.

        Raises:
            UsageError: the method can't have that size, or as `arm_at`.
        """
        method, here = get(arm.method), self.arm_at(arm, point, size)
        start, weights = start_of(arm, size, seed)
        plugins = {**self._plugins, **method_sources(arm.method, here.params)}
        config = {
            "method": arm.method,
            "version": method.version,
            "params": here.params,
            "codebook_size": size if sizes(method, size, here.params) else None,
            **self.settings(point),
            "training": Training.scientific(here.training),
            "seed": seed,
            **weights,
            **({"plugins": plugins} if plugins else {}),
        }
        checkpoint = checkpoint_of(arm, size)
        if checkpoint is not None:
            config |= {"training": untrained(here.training), "pretrained": {"sha256": content(checkpoint)}}
        dataset_options = {**self.file.dataset.options, **options_at("dataset", point)}
        placing = {name: here.training[name] for name in Training.PLACING}
        path = str(checkpoint) if checkpoint is not None else None
        named = {**placing, "pretrained": path, "init_from": start}
        return Run(run_key(config), arm.arm, self.name, config, dataset_options, **named)

    def settings(self, point: Point) -> dict[str, Any]:
        """What all arms share at ``point``: the scientific options of data set, model, objective and so on."""
        if repr(point) not in self._settings:
            self._settings[repr(point)] = self._settings_at(point)
        return self._settings[repr(point)]

    def _settings_at(self, point: Point) -> dict[str, Any]:
        sections = ("dataset", "model", "objective")
        checked = {section: self._component(section, options_at(section, point)) for section in sections}
        training = {**self.file.training.model_dump(), **options_at("training", point)}
        trains = any(arm.pretrained is None for arm in self.file.methods)
        checked["training"] = Training.scientific(training) if trains else untrained(training)
        checked["evaluation"] = self._evaluation
        return {**checked, **({"plugins": self._plugins} if self._plugins else {})}

    @cached_property
    def _plugins(self) -> dict[str, str]:
        """What data set, model, objective and evaluation take from plug-ins: the source by kind and name."""
        file = self.file
        named: list[tuple[Components[Any], str]] = [
            (datasets, file.dataset.name),
            (models, file.model.name),
            (objectives, file.objective.name),
        ]
        modality = datasets.trait(file.dataset.name, "modality")
        return {**sources_of(named), **metric_sources(modality, self._evaluation)}

    def _component(self, section: str, own: dict[str, Any]) -> dict[str, Any]:
        """Name and scientific options of what is chosen in ``section``, with its ``own`` options at a point.

        Asked once for each different choice: of a folder of data it is a hash of all files.
        """
        key = repr((section, own))
        if key not in self._components:
            component: Component = getattr(self.file, section)
            chosen: dict[str, Components[Any]] = {"dataset": datasets, "model": models, "objective": objectives}
            try:
                options = chosen[section].identity(component.name, {**component.options, **own})
            except UsageError as error:
                mistaken = next((key for key in [*own, *component.options] if f"`{key}`" in str(error)), "name")
                place = ("grid", f"{section}.{mistaken}") if mistaken in own else (section, mistaken)
                needs = f"; this suite needs {self.file.needs}" if self.file.needs else ""
                raise UsageError(f"{self.document.where(place)}: {error}{needs}") from error
            self._components[key] = {"name": component.name, **options}
        return self._components[key]

    @cached_property
    def _evaluation(self) -> dict[str, Any]:
        """The options of the evaluation, which no axis changes; what they need of data set and model is checked."""
        file, document = self.file, self.document
        modality = datasets.trait(file.dataset.name, "modality")
        kinds: dict[str, Components[Any]] = {"model": models, "objective": objectives}
        for section, kind in kinds.items():
            name = getattr(file, section).name
            made_for = kind.trait(name, "modality")
            if made_for and made_for != modality:
                where = document.where((section, "name"))
                held = f"`{file.dataset.name}` holds `{modality}`"
                raise UsageError(f"{where}: {section} `{name}` is for `{made_for}` data, but {held}")
        return resolve_evaluation(document, file, modality, self._overrides)

    def _check_reports(self) -> None:
        if not self.file.tables and not self.file.plots:
            return
        from benchmark.report import check_plots, check_tables  # pandas and the plots: most suites needn't wait

        # A table may speak of the arms of the file as it is written, and of those that overrides leave.
        written = self.document.listed("methods")
        names = {
            str(entry.get("arm", entry.get("method"))) if isinstance(entry, dict) else str(entry) for entry in written
        }
        first = {"codebook_size": self.file.grid.codebook_size[0], **self.points[0]}
        names |= {arm.arm for arm in self.file.methods}
        with self.document.at("tables"):
            check_tables(self.file.tables, names, first)
        with self.document.at("plots"):
            check_plots(self.file.plots, self.file.tables, names)


@contextmanager
def _of_arm(name: str) -> Iterator[None]:
    """Names the arm in what turns out to be wrong with it."""
    try:
        yield
    except UsageError as error:
        if f"`{name}`" not in str(error):
            put_before(error, f"arm `{name}`")
        raise


def suite_name(path: Path, overrides: dict[str, Any]) -> str:
    """The suite's folder under results/: an overridden protocol gets a folder of its own."""
    own = ("dataset", "model", "objective", "training", "evaluation")
    changed = [f"{key}={value}" for key, value in sorted(overrides.items()) if key.split(".")[0] in own]
    if not (name := suite_folder("@".join([path.stem, *changed]))):
        raise UsageError(f"{path}: a suite's results lie in a folder named after its file, so it needs a name")
    return name
