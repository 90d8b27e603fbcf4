"""Cores of this machine, peak memory of a run, and whether the system ended a process for want of memory."""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class PeakMemory:
    """Peak memory of this process: resident on the host, allocated on the GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            import torch  # not above: tables ask for cores only

            torch.cuda.reset_peak_memory_stats(device)

    def read(self) -> dict[str, float | None]:
        """``peak_rss_mb`` and ``peak_cuda_mb`` in 10⁶ bytes."""
        return {"peak_rss_mb": _peak_rss() / 1e6, "peak_cuda_mb": self._peak_cuda()}

    def _peak_cuda(self) -> float | None:
        if self._device.type != "cuda":
            return None
        import torch

        return torch.cuda.max_memory_allocated(self._device) / 1e6


class OutOfMemoryWatch:
    """Tells a SIGKILL by the kernel, since memory ran out, from one by a person; made before the process starts."""

    def __init__(self) -> None:
        self._before = _oom_kills()

    def blames(self, exit_code: int) -> bool:
        """Whether a process that ended with ``exit_code`` was killed while the kernel ended some for want of memory."""
        return exit_code == -signal.SIGKILL and _oom_kills() != self._before


def _oom_kills() -> int | None:
    """How many processes the kernel has ended for want of memory since it booted; None where it doesn't say."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/vmstat").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))
    return None


def _peak_rss() -> int:
    """Bytes. `getrusage` on Linux begins with what the parent process held, so that a child seems as large."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
