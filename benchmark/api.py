"""The harness from Python: plan and run a suite, read results as data frames, write tables, measure what is there."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmark import arguments
from benchmark.elsewhere import measure
from benchmark.extras import extras_named
from benchmark.machine import find_device
from benchmark.records.store import Store
from benchmark.report.build import summary
from benchmark.report.frame import Results, read
from benchmark.report.write import tell, write_reports
from benchmark.suite.cell import check_any
from benchmark.suite.plan import Plan, plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import LocalLauncher
from benchmark.sweep.launching import jobs_and_threads, prepare
from benchmark.sweep.runner import Settings, run_plan
from methods.core.plugins import loaded_plugins
from methods.core.usage import UsageError, check_count

Suite = str | Path | Mapping[str, Any]
"""A name in ``suites/``, a YAML file, or what such a file holds."""

__all__ = ["load_counts", "load_history", "load_results", "make_tables", "measure", "plan", "run"]


@extras_named()
def plan(
    suite: Suite,
    *,
    name: str = "mine",
    overrides: Mapping[str, Any] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    results: str | Path = "results",
) -> Plan:
    """The runs of a suite: ``plan(...).runs`` have key and configuration, ``.cells`` where each stands.

    Args:
        suite: a name in ``suites/``, a YAML file, or a mapping of what such a file holds.
        name: of a suite that is a mapping; its results lie in a folder of that name.
        overrides: dotted keys over the suite's content, as ``--set``: ``{"training.steps": 500}``.
        methods: arms of the suite or registered methods, instead of all arms.
        seeds: instead of those of the suite.
        device: ``cpu`` applies the sizes that a method declares for a CPU.
        results: where the runs are whose keys arms name to start from (``init_from``).

    Raises:
        UsageError: anything wrong with the suite, in one sentence.
    """
    with _file_of(suite, name) as file:
        return plan_suite(
            file,
            overrides=arguments.mapping("overrides", overrides),
            methods=arguments.names("methods", methods),
            seeds=arguments.whole_numbers("seeds", seeds),
            device=find_device(device).type,
            results=arguments.place("results", results),
        )


@extras_named()
def run(
    suite: Suite,
    *,
    name: str = "mine",
    results: str | Path = "results",
    overrides: Mapping[str, Any] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    jobs: int | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Train what is left of a suite, each run in a process of its own, and return its results as `load_results` does.

    A method of your own must come from a file (`methods.load_plugin`), since other processes load it too. Interrupted,
    the running ones save where they stand, and the same call goes on from there.

    Args:
        suite: and ``name``, ``overrides``, ``methods``, ``seeds``: as `plan`.
        results: where the folder of the suite lies or is made.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        jobs: runs at a time; as many as cores and memory bear where left out.
        quiet: no progress on standard error.

    Raises:
        UsageError: as `plan`; nothing that can be run; results that can't be written.
        KeyboardInterrupt: it was interrupted.
    """
    chosen = str(find_device(device))
    if jobs is not None:
        check_count("`jobs`", jobs)
    planned = plan(suite, name=name, overrides=overrides, methods=methods, seeds=seeds, device=chosen, results=results)
    check_any(planned.suite.name, planned.cells)
    store = Store(arguments.place("results", results) / planned.suite.name)
    write_plan(planned, store)
    at_a_time, threads = jobs_and_threads(planned, store, chosen, jobs)
    settings = Settings(chosen, threads=threads, plugins=tuple(loaded_plugins()), beside=at_a_time)

    display = Display(quiet)
    for sentence in planned.unavailable:
        display.note(sentence)
    outcome = run_plan(planned, store, LocalLauncher(at_a_time), settings, display, lambda: prepare(planned))
    if outcome.interrupted:
        raise KeyboardInterrupt
    return load_results(store.folder)


def load_results(folder: str | Path) -> pd.DataFrame:
    """One row a run of a folder of results, as ``summary.csv`` has it; `docs/files.md` says what the columns are.

    Shares lie in [0, 1], times are in seconds, memory in 10⁶ bytes. NaN is a number that does not exist or was not
    measured: a usage of a method without codes, a metric that was withheld, all of a run that failed.

    Raises:
        UsageError: there are no results.
    """
    return summary(_read(folder)).reset_index(drop=True)


def load_history(folder: str | Path) -> pd.DataFrame:
    """The curves of all runs of a folder of results, one row a run and a step that was written down.

    Raises:
        UsageError: there are no results.
    """
    results = _read(folder)
    labels = ["key", "arm", "codebook_size", "seed"]
    curves = [
        history.assign(**results.runs.loc[key, labels].to_dict())[[*labels, *history.columns]]
        for key in results.runs.index
        if (history := results.histories.get(key)) is not None
    ]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=[*labels, "step"])


def load_counts(folder: str | Path, key: str) -> list[np.ndarray]:
    """How often each code was chosen on the whole test set by the run ``key``: int64 ``[K_l]``, one a level.

    Raises:
        UsageError: there is no such run, or it has no codes.
    """
    results = _read(folder)
    if key not in results.records:
        raise UsageError(f"there is no whole record of {key} in {folder}")
    counts = results.counts(key)
    if counts is None:
        raise UsageError(f"{key} has no counts of codes")
    return counts


@extras_named()
def make_tables(folder: str | Path) -> list[Path]:
    """Write summary, tables and plots of a folder of results, training nothing; answers the tables and the plots.

    Raises:
        UsageError: there are no results, or nothing can be written.
    """
    folder = arguments.place("folder", folder)
    write_reports([folder])
    return sorted([*folder.glob("tables/*.md"), *folder.glob("plots/*.png")])


def _read(folder: str | Path) -> Results:
    results = read(arguments.place("folder", folder))
    tell(results.problems)
    return results


@contextmanager
def _file_of(suite: Suite, name: str) -> Iterator[str]:
    """The name or file of a suite; a mapping becomes a file while it is read, of which no mistake speaks."""
    if not isinstance(suite, Mapping):
        if not isinstance(suite, str | Path):
            raise UsageError(f"a suite is a name, a file or a mapping, not {suite!r}")
        yield str(suite)
        return
    if not (isinstance(name, str) and name.isascii() and name.replace("-", "_").isidentifier()):
        raise UsageError(f"the name of a suite must be of letters, digits, - and _, not `{name}`")
    content = arguments.plain(name, suite)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        try:
            yield str(file)
        except UsageError as error:
            error.args = (re.sub(rf"{re.escape(str(file))}(:[0-9]+)?", f"suite `{name}`", str(error)),)
            raise
