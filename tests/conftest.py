"""What all tests share: one thread a process, one function run by two processes of a gloo group, own registries."""

# ruff: noqa: E402 -- not a search for garbage among what is imported, which lives to the end
import gc

gc.disable()

import importlib
import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from benchmark.metrics import catalogue
from methods.core import plugins
from methods.core.cache import cache_folder

# Before torch is imported, and for every process that a test starts: threads of many small operations only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Compiled loops are compiled once, whatever cache a test has of its own.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))

_FORKED = {"in_two_processes": "pairs", "WorkerProcess(": "workers", "LocalLauncher(": "workers"}
_WORKER = Path(__file__).with_name("two_processes.py")
_PRELOAD = [
    "torch._dynamo",
    "torch.distributed",
    "torchmetrics.functional.image",
    "benchmark.training.trainer",
    "pytest",
]


def pytest_collection_finish() -> None:
    """Look for cycles rarely, and not at all among what is imported and collected."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()


def pytest_unconfigure() -> None:
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file stays with one of pytest's processes, so that its fixtures are made once; so does what a server forks."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return _server(config.rootpath / file) or file

    return Scheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Whatever the last test left: on two threads all that follow would take three times as long."""
    import torch

    torch.set_num_threads(1)


@cache
def _server(file: Path) -> str | None:
    """What a file's tests have forked by a server of this process, which imports for three seconds; or None."""
    text = file.read_text()
    return next((forked for word, forked in _FORKED.items() if word in text), None)


@pytest.fixture(scope="module")
def in_two_processes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], list[Any]]:
    """``in_two_processes("function")``: what ``function(rank)`` of the test's module returns in each of two processes
    that train together, in a working directory that both share."""
    return lambda function: _run_in_two_processes(tmp_path_factory.mktemp(function), request.path, function)


def _run_in_two_processes(folder: Path, file: Path, function: str) -> list[Any]:
    import torch  # which the process that hands out the tests need not wait for

    # Forked from a process that has imported torch and done nothing else: safe where a fork of this one is not.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    tasks = [{"task": (rank, str(folder), str(file), function)} for rank in range(2)]
    processes = [context.Process(target=runpy.run_path, args=(str(_WORKER), task, "__main__")) for task in tasks]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join(120)
    finally:
        for process in processes:
            process.kill()
            process.join()
    for rank, process in enumerate(processes):
        errors = folder / f"errors{rank}"
        told = errors.read_text() if errors.exists() else ""
        assert process.exitcode == 0, f"process {rank} ended with {process.exitcode}:\n{told}"
    return [torch.load(folder / f"rank{rank}.pt", weights_only=False) for rank in range(2)]


@pytest.fixture
def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered and loaded may change within a test, and is afterwards what it was."""
    for registry in plugins._registries:
        registry.discover()
        for name in ("_things", "_makers", "_sources"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setattr(catalogue, "METRICS", dict(catalogue.METRICS))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_registries: None) -> Iterator[Callable[..., None]]:
    """``install(registry, source, thing)``: a distribution with one entry point, as pip would leave it on the path."""

    def install(registry: plugins.Registry, source: str, thing: str) -> None:
        (tmp_path / "their_package.py").write_text(dedent(source))
        info = tmp_path / "their_package-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{registry.group}]\ntheirs = their_package:{thing}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        monkeypatch.setattr(registry, "_complete", False)

    yield install
    sys.modules.pop("their_package", None)
