"""Peak memory of a run."""

import resource
import sys

import torch


class PeakMemory:
    """Peak memory of this process: resident on the host, allocated on the GPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)

    def read(self) -> dict[str, float | None]:
        """``peak_rss_mb`` and ``peak_cuda_mb`` in 10⁶ bytes."""
        unit = 1 if sys.platform == "darwin" else 1024
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        cuda = torch.cuda.max_memory_allocated(self._device) / 1e6 if self._device.type == "cuda" else None
        return {"peak_rss_mb": rss, "peak_cuda_mb": cuda}
