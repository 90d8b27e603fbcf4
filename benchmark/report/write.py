"""Tables and plots of results folders, several at a time, and what is said about them."""

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmark.machine import available_cores, clean_processes
from benchmark.records.files import check_no_link
from benchmark.records.plain import one_line
from benchmark.report.mark import made_of, mark_whole
from methods.core.plugins import load_again, loaded_plugins

PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class _Report:
    problems: list[str]
    written: list[Path]


def write_reports(folders: list[Path]) -> None:
    """Write the tables and plots of each folder of results, a core each; print what can be looked at, in their order.

    Raises:
        UsageError: see `report.build`; the folders before are reported, and the next call of `run` does this one again.
    """
    for report in _built(folders):
        tell(report.problems)
        for path in report.written:
            if path.suffix in (".md", ".png"):
                print(one_line(path))


def tell(problems: list[str]) -> None:
    """Name the records that are not counted, on stderr, the first few of many."""
    for problem in problems[:PROBLEMS_SHOWN]:
        print(one_line(problem), file=sys.stderr)
    if len(problems) > PROBLEMS_SHOWN:
        more = len(problems) - PROBLEMS_SHOWN
        print(f"... and {more:,} more records that are not counted", file=sys.stderr)


def _built(folders: list[Path]) -> Iterator[_Report]:
    processes = min(len(folders), available_cores())
    if processes == 1:
        yield from map(_build, folders)
        return
    context = clean_processes("benchmark.report.build")
    plugins = loaded_plugins()
    with ProcessPoolExecutor(processes, mp_context=context, initializer=load_again, initargs=(plugins,)) as pool:
        # The largest first, so that none is left for the end when all but one core have nothing more to do.
        reports = {folder: pool.submit(_build, folder) for folder in sorted(folders, key=_records, reverse=True)}
        try:
            for folder in folders:
                yield reports[folder].result()
        finally:
            pool.shutdown(cancel_futures=True)


def _records(folder: Path) -> int:
    return sum(1 for _ in folder.glob("runs/*"))


def _build(folder: Path) -> _Report:
    from benchmark import report  # pandas and the plots, which a call that has nothing to report needn't wait for

    for own in (folder, folder / "tables", folder / "plots"):
        check_no_link(own)
    sources = made_of(folder)
    with _rare_collections(), report.warned_once():
        results = report.read(folder)
        written = report.build(results)
    mark_whole(folder, sources, written)
    return _Report(results.problems, written)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Within it cycles are looked for rarely: plots make objects by the hundred thousand, and few of them are waste."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
