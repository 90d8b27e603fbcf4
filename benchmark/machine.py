"""What machine this is and what it has: cores, device, memory, versions. No host names, and no torch for the cores."""

from __future__ import annotations

import multiprocessing
import os
import platform
import resource
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.context import BaseContext, ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from methods.core.usage import UsageError

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "torchvision", "torchmetrics", "lpips", "faiss-cpu", "numba", "numpy", "scipy")
_COMMIT, _NONE_YET = "# branch.oid ", "(initial)"


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limit() -> int | None:
    """Threads that ``OMP_NUM_THREADS`` allows a process, the first of its numbers; None where it says nothing."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def main_memory() -> int:
    """Bytes of this machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory(kind: str) -> int | None:
    """Bytes of this machine's main memory for ``cpu``, of its first GPU for ``cuda``; None where there is none."""
    if kind == "cpu":
        return main_memory()
    import torch

    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else None


def clean_processes(*modules: str) -> BaseContext:
    """How to start processes that have imported ``modules`` and done nothing else, cheaply where the system can.

    No forks of this process: it may have threads and a CUDA context, which a fork would copy as they stand.
    """
    context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    if isinstance(context, ForkServerContext):
        context.set_forkserver_preload(list(modules))
    return context


def find_device(name: str) -> torch.device:
    """The device that a person calls ``name``; ``auto`` is a GPU where PyTorch sees one.

    Raises:
        UsageError: there is no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name} is no device; try cpu, cuda or cuda:0") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: only cpu and cuda are supported")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: PyTorch sees no CUDA device here; use --device cpu")
    return device


def provenance(device: torch.device) -> dict[str, Any]:
    """Commit and dirty flag, package versions, device, threads and determinism."""
    import torch
    import torch.distributed as dist

    return {
        **_commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": f"{sys.platform}-{platform.machine()}",
        "device": _device_name(device),
        "cpu": _cpu_name(),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "threads": torch.get_num_threads(),
        "processes": dist.get_world_size() if dist.is_initialized() else 1,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def _commit() -> dict[str, Any]:
    options = ("--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no")
    command = ["git", "status", *options, "--", ".", ":!results"]
    root = Path(__file__).parent.parent
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
    lines = done.stdout.splitlines()
    commits = [line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)]
    dirty = any(not line.startswith("#") for line in lines)
    return {"commit": commits[0] if commits != [_NONE_YET] else None, "dirty": dirty}


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _device_name(device: torch.device) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


class PeakMemory:
    """Peak memory of this process: resident on the host, allocated on the GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            import torch  # not above: tables ask for cores only

            torch.cuda.reset_peak_memory_stats(device)

    def read(self) -> dict[str, float | None]:
        """``peak_rss_mb`` and ``peak_cuda_mb`` in 10⁶ bytes."""
        return {"peak_rss_mb": _own_peak() / 1e6, "peak_cuda_mb": self._peak_cuda()}

    def _peak_cuda(self) -> float | None:
        if self._device.type != "cuda":
            return None
        import torch

        return torch.cuda.max_memory_allocated(self._device) / 1e6


def peak_rss(pid: int | str) -> int | None:
    """Bytes that a process has held at most; None where it is gone, or the system doesn't say."""
    with suppress(OSError, ValueError, StopIteration):
        return number_in(Path(f"/proc/{pid}/status"), "VmHWM:") * 1024
    return None


def number_in(file: Path, name: str) -> int:
    """The number after ``name`` at the beginning of a line.

    Raises:
        OSError: there is no such file.
        StopIteration: there is no such line.
        ValueError: it is no number.
    """
    lines = file.read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.split()[:1] == [name]))


def _own_peak() -> int:
    """Bytes. `getrusage` on Linux begins with what the parent process held, so that a child seems as large."""
    if (peak := peak_rss("self")) is not None:
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
