"""Peak memory of a run."""

import resource
import sys
from pathlib import Path

import torch


class PeakMemory:
    """Peak memory of this process: resident on the host, allocated on the GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def read(self) -> dict[str, float | None]:
        """``peak_rss_mb`` and ``peak_cuda_mb`` in 10⁶ bytes."""
        cuda = torch.cuda.max_memory_allocated(self._device) / 1e6 if self._device.type == "cuda" else None
        return {"peak_rss_mb": _peak_rss() / 1e6, "peak_cuda_mb": cuda}


def _peak_rss() -> int:
    """Bytes. `getrusage` on Linux begins with what the parent process held, so that a child seems as large."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
