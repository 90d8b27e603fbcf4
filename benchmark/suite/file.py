"""Finds and reads a suite's YAML file, and turns every mistake in it into one sentence with the line."""

from pathlib import Path
from typing import Any

from benchmark.data import datasets
from benchmark.document import Document
from benchmark.metrics import metrics
from benchmark.metrics.parts.extra import evaluation_options
from benchmark.mistakes import checked
from benchmark.suite.released import all_released
from benchmark.suite.schema import MODALITY_DEFAULTS, SuiteFile
from methods.core.usage import UsageError, did_you_mean, put_before

SUITES = (Path(__file__).parents[1] / "shipped" / "suites").resolve()
"""In a checkout `suites/`, to which `benchmark/shipped` has a link that packaging follows."""


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
        raise UsageError(
            f"unknown suite `{name}`{did_you_mean(name, known)}; there are: {', '.join(known)}; one of your own is "
            "named by its file, such as mine.yaml"
        )
    return file


def available_suites() -> list[str]:
    """Names of the suites in ``suites/``."""
    return sorted(file.stem for file in SUITES.glob("*.yaml"))


def apply_overrides(data: dict[str, Any], overrides: dict[str, Any]) -> None:
    """Set dotted keys in the raw content of a suite, in place."""
    for dotted, value in overrides.items():
        # An axis of the grid is one key, dots and all.
        *parents, last = ["grid", dotted.removeprefix("grid.")] if dotted.startswith("grid.") else dotted.split(".")
        section = data
        for parent in parents:
            inner = section.get(parent)
            if isinstance(inner, str) and parent in ("dataset", "model", "objective", "prior"):
                inner = {"name": inner}
            if inner is None:
                inner = {}
            if not isinstance(inner, dict):
                raise UsageError(f"--set {dotted}: `{parent}` is not a section")
            section[parent] = dict(inner)
            section = section[parent]
        section[last] = value


def validate(document: Document, overrides: dict[str, Any]) -> SuiteFile:
    """The checked content of a suite file.

    Raises:
        UsageError: one sentence with file, line, key and what would be right.
    """
    if not isinstance(document.data, dict):
        raise UsageError(
            f"{document.file}: a suite is a mapping with the keys question, dataset, training, grid, methods"
        )
    data = dict(document.data)
    apply_overrides(data, overrides)
    _fill_in(data)
    _check_length(document, data)
    try:
        return checked(SuiteFile, data)
    except UsageError as error:
        dotted = ".".join(map(str, error.key))
        put_before(error, f"--set {dotted}" if dotted in overrides else document.where(error.key))
        raise


def _fill_in(data: dict[str, Any]) -> None:
    """Set, in place, what is left out and has a default of the data set's modality."""
    dataset = data.get("dataset")
    name = dataset.get("name") if isinstance(dataset, dict) else dataset
    if name not in datasets.available():
        return
    for section, usual in MODALITY_DEFAULTS[datasets.trait(name, "modality")].items():
        own = data.get(section)
        if section == "training" and isinstance(own, dict) and isinstance(own.get("steps"), int):
            usual = {**usual, "warmup_steps": min(usual.get("warmup_steps", 0), own["steps"])}
        data[section] = dict(usual) if own is None else {**usual, **own} if isinstance(own, dict) else own


def _check_length(document: Document, data: dict[str, Any]) -> None:
    """Raise a `UsageError` where neither the training nor an axis of the grid says how long a run is."""
    training, grid = data.get("training"), data.get("grid")
    on_axis = isinstance(grid, dict) and "training.steps" in grid
    trains = not all_released(data.get("methods"))
    if trains and isinstance(training, dict) and training.get("steps") is None and not on_axis:
        raise UsageError(f"{document.where(('training',))}: the key `training.steps` is missing")


def resolve_evaluation(document: Document, file: SuiteFile, modality: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """The options of the metrics of ``modality`` that belong in a run's key.

    Raises:
        UsageError: as `validate`.
    """
    known: list[str] = []
    try:
        known = list(metrics.parameters(modality))
        return evaluation_options(modality, file.evaluation)
    except UsageError as error:
        unknown_first = sorted(file.evaluation, key=lambda option: option in known)
        mistaken = next((option for option in unknown_first if f"`{option}`" in str(error)), "name")
        dotted = f"evaluation.{mistaken}"
        prefix = f"--set {dotted}" if dotted in overrides else document.where(("evaluation", mistaken))
        raise UsageError(f"{prefix}: evaluation: {error}") from error
