"""What all tests share: one thread a process, one function run by two processes of a gloo group, own registries."""

import importlib
import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from filelock import FileLock

from methods.core import plugins
from methods.core.cache import cache_folder

# Before torch is imported, and for every process that a test starts: threads of many small operations only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Compiled loops are compiled once, whatever cache a test has of its own.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "numba"))

import torch

_WORKER = Path(__file__).with_name("two_processes.py")
_PRELOAD = ["torch._dynamo", "torch.distributed", "benchmark.training.trainer", "pytest"]


def _run_in_two_processes(folder: Path, file: str, function: str) -> None:
    # Forked from a process that has imported torch and done nothing else: safe where a fork of this one is not.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    tasks = [{"task": (rank, str(folder), file, function)} for rank in range(2)]
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


@pytest.fixture(scope="session")
def in_two_processes_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], list[Any]]:
    """``in_two_processes_of(file, "function")``: run once, whichever of pytest's own processes ask for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def run(file: Path, function: str) -> list[Any]:
        folder = shared / f"{file.stem}-{function}"
        outputs = [folder / f"rank{rank}.pt" for rank in range(2)]
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                folder.mkdir()
                _run_in_two_processes(folder, str(file), function)
        return [torch.load(output, weights_only=False) for output in outputs]

    return run


@pytest.fixture(scope="module")
def in_two_processes(
    request: pytest.FixtureRequest, in_two_processes_of: Callable[[Path, str], list[Any]]
) -> Callable[[str], list[Any]]:
    """``in_two_processes("function")``: what ``function(rank)`` of the test's module returns in each of two processes
    that train together, in a working directory that both share."""
    return lambda function: in_two_processes_of(request.path, function)


@pytest.fixture
def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered and loaded may change within a test, and is afterwards what it was."""
    for registry in plugins._registries:
        registry.discover()
        for name in ("_things", "_makers"):
            monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    monkeypatch.setattr(plugins, "_loaded", {})


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
