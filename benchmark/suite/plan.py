"""From a suite to the plan of its runs: a cell for every arm, place and seed, and one key a run."""

import itertools
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.records.run import Run, tokenizer_of, with_long_key
from benchmark.suite.arms import NoSizeError
from benchmark.suite.cell import Cell, NoWeightsError, without_run
from benchmark.suite.choices import lacking
from benchmark.suite.definition import Suite
from benchmark.suite.grid import Point
from benchmark.suite.memory import TooLargeError, check_memory
from benchmark.suite.priors import PriorCell, generation_of, keeping, left_out, priors_of
from benchmark.suite.schema import Arm
from benchmark.suite.starting import check_kept
from methods.core.registry import get
from methods.core.usage import UsageError


@dataclass
class Plan:
    """The cells of a suite that are wanted. ``arms``: with parameters and settings as they are at the first place."""

    suite: Suite
    arms: list[Arm] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)
    """Short keys of more than one configuration, each of which has a long one."""
    priors: list[PriorCell] = field(default_factory=list)
    second: list[PriorCell] = field(default_factory=list)
    """The second prior on every tokenizer, where the suite has one."""

    @property
    def runs(self) -> list[Run]:
        """Every run once, smaller codebooks and lower seeds first; priors after all tokenizers, second ones last."""
        unique: dict[str, Run] = {}
        for cells in (self.cells, self.priors, self.second):
            own = {cell.run.key: cell.run for cell in cells if cell.run is not None}
            unique |= {run.key: run for run in sorted(own.values(), key=_turn)}
        return list(unique.values())

    @property
    def unavailable(self) -> list[str]:
        """A sentence for each reason for which some of the cells have no run."""
        return without_run(self.cells)

    @property
    def without_prior(self) -> list[str]:
        """A sentence for each reason for which tokenizers that can be trained have no prior."""
        reasons = {cell.unavailable for cell in self.cells}
        return left_out(prior for prior in self.priors if prior.run or prior.unavailable not in reasons)

    @property
    def lacks_weights(self) -> bool:
        """Whether some arm names weights that can't be had."""
        return any(cell.lacks_weights for cell in self.cells)

    @property
    def untuned(self) -> list[str]:
        """A sentence about arms for which the suite's file of choices has none."""
        suite = self.suite
        if suite.chosen_in is None or suite.choices is None:
            return []
        return lacking(suite.chosen_in, suite.choices, [suite.arm(arm.arm) for arm in self.arms])

    def keep_apart(self) -> None:
        """Give long keys to runs whose configurations differ and whose short keys don't: one pair in 4 billion."""
        configs: dict[str, dict[str, Any]] = {}
        for run in (cell.run for cell in self.cells if cell.run is not None):
            if configs.setdefault(run.key, run.config) != run.config:
                self.shared.add(run.key)
        self.cells = [
            replace(cell, run=with_long_key(cell.run)) if cell.run is not None and cell.run.key in self.shared else cell
            for cell in self.cells
        ]

    def key_at(self, arm: str, point: Point, size: int, seed: int) -> str | None:
        """The key that an arm's run has, as the suite now is, at any place and seed, planned or not; None for none."""
        try:
            run = self.suite.run(self.suite.arm(arm), point, size, seed)
        except UsageError:
            return None
        return (with_long_key(run) if run.key in self.shared else run).key


def _turn(run: Run) -> tuple[int, int]:
    named = tokenizer_of(run.config)
    return named["seed"], named["codebook_size"] or 0


def plan_suite(
    name: str,
    *,
    overrides: dict[str, Any] | None = None,
    methods: list[str] | None = None,
    seeds: list[int] | None = None,
    device: str = "cpu",
    tuned: bool = True,
    results: Path | None = None,
) -> Plan:
    """Read a suite and lay out its cells.

    Args:
        name: a suite's name or a YAML file.
        overrides: dotted keys over the file's content (``--set``).
        methods: arms of the suite, or any registered method, to run instead of all arms.
        seeds: instead of those of the suite.
        device: ``cpu`` applies the sizes that a method declares for a CPU.
        tuned: whether the suite's file of tuned choices is applied.
        results: where the runs are whose keys arms name to start from; where left out they are not looked for.

    Raises:
        UsageError: anything a person typed wrong.
    """
    suite = Suite(name, overrides or {}, tuned=tuned)
    arms = [suite.arm(name) for name in methods or suite.arms]
    for arm in [*suite.arms.values(), *arms]:  # also those that are not wanted now
        for point, size in suite.places:
            with nullcontext() if arm in arms else suppress(NoSizeError):  # of an override, not a fault of the file
                suite.arm_at(arm, point, size)
    first = [suite.arm_at(arm, *suite.places[0]).model_copy(update={"at": arm.at}) for arm in arms]
    plan = Plan(suite, first, seeds or list(range(suite.file.seeds)))
    for index, arm in enumerate(arms):
        with suite.document.at("methods", list(suite.arms).index(arm.arm) if arm.arm in suite.arms else index):
            plan.cells += _cells(suite, arm, plan.seeds, device, results)
    plan.keep_apart()
    with suite.document.at("methods"):
        _check_distinct(plan.cells)
    if (generation := generation_of(suite)) is not None:
        plan.cells = [replace(cell, run=keeping(cell.run)) if cell.run else cell for cell in plan.cells]
        plan.priors = [prior for cell in plan.cells for prior in priors_of(cell, generation)]
        if (second := generation.second) is not None:
            plan.second = [prior for cell in plan.cells for prior in priors_of(cell, second)]
    return plan


def _cells(suite: Suite, arm: Arm, seeds: list[int], device: str, results: Path | None) -> list[Cell]:
    """Those of an arm.

    Raises:
        TooLargeError: it is larger than memory at every place where it can be.
    """
    cells = [cell_at(suite, arm, point, size, seed, device, results) for (point, size), seed in _places(suite, seeds)]
    if not any(cell.run for cell in cells):
        for cell in cells:
            check_fits(suite, arm, cell.point, cell.codebook_size, device)
    return cells


def _places(suite: Suite, seeds: list[int]) -> Iterator[tuple[tuple[Point, int], int]]:
    return itertools.product(suite.places, seeds)


def check_fits(suite: Suite, arm: Arm, point: Point, size: int, device: str) -> None:
    """Raise a `TooLargeError` where the arm's quantizer is larger than the memory there is.

    Of a model that does not say its latent dimension it is known to be 1 at least.
    """
    method, dim = get(arm.method), suite.settings(point)["model"].get("latent_dim", 1)
    try:
        check_memory(method, size, dim, suite.arm_at(arm, point, size).params, device)
    except TooLargeError:
        raise
    except UsageError:  # of a dimension that is not the real one
        return


def cell_at(
    suite: Suite, arm: Arm, point: Point, size: int, seed: int, device: str, results: Path | None = None
) -> Cell:
    """An arm's cell; without a run where the method can't have the size, at all, on a CPU or in the memory there is.

    Nor has it one where the arm names weights that can't be had.
    """
    here = suite.arm_at(arm, point, size)
    try:
        if device == "cpu":
            get(arm.method).check_on_cpu(size, **here.params)
        check_fits(suite, arm, point, size, device)
        run = suite.run(arm, point, size, seed)
        if results is not None:
            check_kept(run, arm, results / suite.name)
        return Cell(arm.arm, size, seed, run, None, point)
    except UsageError as error:
        return Cell(arm.arm, size, seed, None, str(error), point, isinstance(error, NoWeightsError))


def _check_distinct(cells: list[Cell]) -> None:
    """Raise a `UsageError` if two arms have a run in common."""
    arms: dict[str, str] = {}
    for cell in cells:
        if cell.run is not None and arms.setdefault(cell.run.key, cell.arm) != cell.arm:
            raise UsageError(f"the arms `{arms[cell.run.key]}` and `{cell.arm}` are the same run twice")
