"""Fixtures of the method tests: the same function run by two processes of one gloo group."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

_WORKER = Path(__file__).with_name("two_processes.py")


def run_in_two_processes(directory: Path, file: str, function: str) -> list:
    """What ``function(rank)`` of the Python file returns in each of two processes that train together."""
    outputs = [directory / f"rank{rank}.pt" for rank in range(2)]
    processes = []
    for rank, output in enumerate(outputs):
        command = [sys.executable, str(_WORKER), str(rank), str(directory / "rendezvous"), file, function, str(output)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    try:
        told = [process.communicate(timeout=120)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for rank, process in enumerate(processes):
        assert process.returncode == 0, f"process {rank} failed:\n{told[rank]}"
    return [torch.load(output, weights_only=False) for output in outputs]


@pytest.fixture(scope="module")
def in_two_processes(request, tmp_path_factory):
    """``in_two_processes("function")``: the results of a function of the test's module, a rank each."""

    def run(function: str) -> list:
        return run_in_two_processes(tmp_path_factory.mktemp(function), str(request.path), function)

    return run
