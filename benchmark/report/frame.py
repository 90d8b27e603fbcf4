"""From a results folder to data frames: the plan's cells, and one row a run."""

import logging
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd

from benchmark.records.history import HISTORY_FILE
from benchmark.records.plain import one_line
from benchmark.records.plan import BadPlanError, read_plan
from benchmark.records.record import BadRecordError
from benchmark.records.run import tokenizer_of
from benchmark.records.store import read_whole
from benchmark.report.columns import PRICE
from benchmark.report.histories import read_alike
from benchmark.report.one_test_set import of_one_test_set
from benchmark.report.places import Axis, Place, axes_of, place_of, places_of
from benchmark.report.progress import ABOVE_BEST, GAIN, progress
from benchmark.report.rates import with_rates
from benchmark.report.strangers import is_trained, sentences, training_setting
from methods.core.plugins import load_installed
from methods.core.usage import UsageError

_LOG = logging.getLogger(__name__)
_TRAINING = ("steps", "schedule", "learning_rate")
_LABELS = ("key", "arm", "method", "codebook_size", "level_sizes", "seed", *_TRAINING, "planned", "status", "reason")


@dataclass
class Results:
    """What a results folder holds.

    ``runs``: one row a whole record, indexed by key: what it is, whether the plan has it, how it ended, how far from
    done it is, metrics, timings, memory.
    ``cells``: one row a cell of the plan (arm, codebook_size, seed, key, unavailable, the index of its place
    among ``places``) with the columns of its run; ``status`` is missing where there is no record.
    ``records``: the whole records by key. ``histories``: their curves, None where they can't be read.
    ``problems``: one sentence for each record that is there but can't be used.
    ``priors``: one row a prior of the plan, with the columns of its run, as ``cells`` has them; empty where the suite
    has no second stage. ``second``: the same of the second prior, where the suite has one.
    ``timed_on``: the device whose times and memory ``cells`` hold, where the runs were made on several.
    ``in_order``: whether the arms stand in the order in which somebody named them.
    """

    folder: Path
    plan: dict[str, Any]
    runs: pd.DataFrame
    cells: pd.DataFrame
    records: dict[str, dict[str, Any]]
    histories: dict[str, pd.DataFrame | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    axes: list[Axis] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    timed_on: str | None = None
    in_order: bool = False
    priors: pd.DataFrame = field(default_factory=pd.DataFrame)
    second: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def ok(self) -> pd.DataFrame:
        """The cells whose run ended well."""
        return self.cells[self.cells["status"] == "ok"]

    @property
    def arms(self) -> list[str]:
        """Arms in the order of the plan, references last unless somebody named an order."""
        arms = [arm["arm"] for arm in self.plan["arms"]]
        return arms if self.in_order else sorted(arms, key=lambda arm: self.is_reference(arm))

    def arm(self, name: str) -> dict[str, Any]:
        """The plan's entry of an arm."""
        return next(arm for arm in self.plan["arms"] if arm["arm"] == name)

    def is_reference(self, arm: str) -> bool:
        """Whether an arm is a yardstick rather than a remedy: set apart in tables, never ranked, never marked best."""
        return bool(self.arm(arm).get("reference", False))

    def is_ranked(self, arm: str) -> bool:
        """Whether an arm is the whole method of its paper; what is not is shown beside those that are."""
        return bool(self.arm(arm).get("ranked", True))

    def is_prior(self, key: str) -> bool:
        """Whether a run is a prior on the codes of another, which tables of tokenizers don't speak of."""
        return "tokenizer" in self.records[key]["config"]

    def is_measured(self, arm: str) -> bool:
        """Whether what an arm shows was made elsewhere and only measured here, by `benchmark.elsewhere`."""
        return bool(self.arm(arm).get("measured", False))

    def is_tuned(self, arm: str) -> bool:
        """Whether any setting of an arm is as tuning chose it."""
        return bool(self.arm(arm).get("tuned"))

    @property
    def is_untuned(self) -> bool:
        """Whether no arm that could have been tuned was, so that how they compare may be a matter of defaults."""
        remedies = [arm for arm in self.arms if not self.is_reference(arm)]
        return bool(remedies) and not any(map(self.is_tuned, remedies))

    def is_size_free(self, arm: str) -> bool:
        """Whether the codebook size means nothing to an arm: one run serves every size."""
        cells = self.cells[(self.cells["arm"] == arm) & self.cells["key"].notna()]
        shared = cells.groupby("key")["codebook_size"].nunique() > 1
        return bool(shared.any()) or any(
            self.records[key]["config"].get("codebook_size") is None for key in cells["key"] if key in self.records
        )

    def is_codeless(self, arm: str) -> bool:
        """Whether an arm measured something, but no usage of codes."""
        runs = self.ok[self.ok["arm"] == arm]
        return len(runs) > 0 and ("usage" not in runs or bool(runs["usage"].isna().all()))

    def has(self, metric: str) -> bool:
        """Whether any run of the plan measured ``metric``."""
        return metric in self.ok and bool(self.ok[metric].notna().any())

    def file(self, key: str, name: str) -> Path | None:
        """A file of a run, by its path in the run's folder; None where there is none."""
        return _file(self.folder, self.records[key], name)

    def history(self, key: str) -> pd.DataFrame | None:
        """The curves of a run; None where there are none, and a warning if it was trained.

        What was measured elsewhere or published was not trained here, and has none to ask for.
        """
        if key not in self.histories and is_trained(self.records[key]["config"]):
            return unusable(self.folder / "runs" / key / HISTORY_FILE, "there is no such file")
        return self.histories.get(key)

    def counts(self, key: str) -> list[np.ndarray] | None:
        """Histograms of the codes of a run, one a level; None without codes, or, with a warning, if unreadable."""
        if not self.records[key].get("level_sizes"):
            return None
        path = self.file(key, "counts.npz")
        if path is None:
            return unusable(self.folder / "runs" / key / "counts.npz", "there is no such file")
        try:
            with np.load(path) as file:
                return [file[f"level_{level}"] for level in range(1, len(file.files) + 1)]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            return unusable(path, error)

    def snapshots(self, key: str) -> dict[str, np.ndarray] | None:
        """``steps [T]``, ``codewords [T, K, 2]``, ``latents [N, 2]`` of a run; None where it has no pictures."""
        path = self.file(key, "snapshots.npz")
        if path is None:
            return None
        try:
            with np.load(path) as file:
                return {name: file[name] for name in ("steps", "codewords", "latents")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            return unusable(path, error)

    def samples(self, key: str) -> np.ndarray | None:
        """Samples of a run, ``[H, W]`` or ``[H, W, 3]`` in [0, 1], originals in the upper half; None where none are."""
        path = self.file(key, "samples.png")
        if path is None:
            return None
        try:
            return matplotlib.image.imread(path)
        except (OSError, ValueError, SyntaxError) as error:
            return unusable(path, error)


def unusable(path: Path, error: object) -> Any:
    """None, after a warning."""
    _LOG.warning("%s", one_line(f"{path} can't be used: {error}"))


@contextmanager
def warned_once() -> Iterator[None]:
    """Within it a file that several tables and plots ask for in vain is warned of once."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in said
        said.add(message)
        return new

    _LOG.addFilter(is_new)
    try:
        yield
    finally:
        _LOG.removeFilter(is_new)


def read(folder: Path) -> Results:
    """Read a results folder; a record that is not whole is skipped and named in ``problems``.

    Raises:
        UsageError: there is no plan to report on.
    """
    load_installed("codebook_bench.metrics")  # how their columns are shown
    plan = _read_plan(folder / "plan.json")
    records, problems = _read_records(folder / "runs")
    records, tested_on_others = of_one_test_set(records)
    problems += [f"{folder}: {sentence}" for sentence in tested_on_others]
    histories = _read_histories(folder, records)
    second = plan.get("second", {}).get("priors", [])
    planned = {cell["key"] for cell in [*plan["cells"], *plan.get("priors", []), *second]}
    runs = pd.DataFrame([_row(record, histories.get(record["key"]), planned) for record in records])
    runs = (runs if len(runs) else pd.DataFrame(columns=list(_LABELS))).set_index("key", drop=False)
    axes = axes_of(plan)
    places = places_of(axes)
    index = {place: number for number, place in enumerate(places)}

    def joined(found: list[dict[str, Any]], *more: str) -> pd.DataFrame:
        table = pd.DataFrame(found, columns=["arm", "codebook_size", "seed", *more, "key", "unavailable"])
        table["place"] = [index[place_of(cell)] for cell in found]
        return table.join(runs[[name for name in runs.columns if name not in table.columns]], on="key")

    cells = with_rates(joined(plan["cells"]))
    by_key = {record["key"]: record for record in records}
    timed_on = _keep_prices_of_one_device(cells, by_key)
    strangers = (record for record in records if record["key"] not in planned)
    problems += [f"{folder}: {sentence}" for sentence in sentences(strangers, plan)]
    return Results(
        folder,
        plan,
        runs,
        cells,
        by_key,
        histories,
        problems,
        axes,
        places,
        timed_on,
        priors=joined(plan.get("priors", []), "prior_seed"),
        second=joined(second, "prior_seed"),
    )


def _keep_prices_of_one_device(cells: pd.DataFrame, records: dict[str, dict[str, Any]]) -> str | None:
    """Blank times and memory of the runs on another device than most: beside the others they would say nothing.

    Returns:
        The device whose prices stay, or None where all runs are of one.
    """
    devices = {key: device_of(record) for key, record in records.items()}
    made_on = cells["key"].map(devices)
    counts = made_on[cells["status"] == "ok"].value_counts()
    if len(counts) < 2:
        return None
    timed_on = min(counts.index, key=lambda device: (-counts[device], device))
    priced = [name for name in PRICE if name in cells]
    cells.loc[made_on != timed_on, priced] = float("nan")
    return str(timed_on)


def device_of(record: dict[str, Any]) -> str:
    """The device a run was made on, by name; ``cpu`` where its record says nothing."""
    return record["provenance"].get("device") or "cpu"


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        return read_plan(path)
    except FileNotFoundError:
        raise UsageError(f"there is no {path}: run the suite first") from None
    except BadPlanError as error:
        raise UsageError(f"{error}; run the suite again") from error


def _read_records(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    records, problems = [], []
    for run in sorted(os.listdir(folder)) if folder.is_dir() else []:
        try:
            records.append(read_whole(folder / run))
        except FileNotFoundError:
            continue
        except BadRecordError as error:
            problems.append(f"{error}; it is not counted")
    return records, problems


def _read_histories(folder: Path, records: list[dict[str, Any]]) -> dict[str, pd.DataFrame | None]:
    """The curves of the runs that have some; None, and a warning, where they can't be read."""
    found = ((record["key"], _file(folder, record, HISTORY_FILE)) for record in records)
    paths = {key: path for key, path in found if path is not None}
    alike = read_alike(paths.values())
    return {key: _read_history(path, alike) for key, path in paths.items()}


def _file(folder: Path, record: dict[str, Any], name: str) -> Path | None:
    """A file that the run of ``record`` wrote: none that its record does not vouch for, but for the oldest."""
    path = folder / "runs" / record["key"] / name
    return path if (path.exists() if record["schema"] == 1 else name in record.get("files", {})) else None


def _read_history(path: Path, alike: dict[Path, pd.DataFrame]) -> pd.DataFrame | None:
    try:
        history = alike[path] if path in alike else pd.read_csv(path, dtype=float)
        return history if "step" in history else unusable(path, "no column `step`")
    except (OSError, ValueError) as error:
        return unusable(path, error)


def _row(record: dict[str, Any], history: pd.DataFrame | None, planned: set[str]) -> dict[str, Any]:
    config = record["config"]
    named = tokenizer_of(config)
    gain, above_best = progress(history)
    return {
        "key": record["key"],
        "arm": record["arm"],
        "method": named.get("method"),
        "codebook_size": named.get("codebook_size"),
        "level_sizes": "x".join(str(size) for size in record["level_sizes"]),
        "seed": named.get("seed"),
        **{name: training_setting(config, name) if is_trained(config) else None for name in _TRAINING},
        "planned": int(record["key"] in planned),
        "status": record["status"],
        "reason": record.get("reason"),
        **{
            name: float(value) if isinstance(value, int | float) else float("nan")
            for section in (
                {GAIN: gain, ABOVE_BEST: above_best},
                *(record[name] for name in ("metrics", "timings", "memory")),
            )
            for name, value in section.items()
        },
    }
