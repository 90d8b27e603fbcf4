"""Peak memory of one operation, on a CPU in a process of its own: `python -m benchmark.perf.memory GROUP ...`.

On a GPU PyTorch counts its allocations, so that a process of its own would tell nothing more.
"""

import json
import subprocess
import sys
from typing import NamedTuple

import torch

from benchmark.machine import PeakMemory
from benchmark.perf.cases import Group, Shape

_WARM_UP = Shape(2, 3, 4)


class Peak(NamedTuple):
    """MB of the whole process at its peak (on a GPU, of its allocations), and above what the inputs took before."""

    process_mb: float
    extra_mb: float


def peak_memory(group: Group, contender: str, shape: Shape, device: torch.device) -> Peak:
    """Measure, on a CPU in a fresh process with as many threads as this one.

    Raises:
        RuntimeError: the process failed; the message ends with what it said.
    """
    if device.type == "cuda":
        return measure(group, contender, shape, device)
    numbers = [shape.rows, shape.size, shape.dim, torch.get_num_threads()]
    command = [sys.executable, "-m", "benchmark.perf.memory", group.name, contender, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{contender} on {shape} failed: {done.stderr.strip()[-500:]}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def measure(group: Group, contender: str, shape: Shape, device: torch.device) -> Peak:
    """Peak of this process, which on a CPU must not have done anything large before."""
    chosen = group.contender(contender)
    if group.name == "search":
        # Libraries load and start their threads at the first call.
        chosen.prepare(_WARM_UP, device)()
    operation = chosen.prepare(shape, device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device) / 1e6
        torch.cuda.reset_peak_memory_stats(device)
        operation()
        torch.cuda.synchronize(device)
        peak = torch.cuda.max_memory_allocated(device) / 1e6
    else:
        memory = PeakMemory(device)
        before = memory.read()["peak_rss_mb"] or 0.0
        operation()
        peak = memory.read()["peak_rss_mb"] or 0.0
    return Peak(peak, peak - before)


def main(arguments: list[str]) -> None:
    """Print the peak as JSON."""
    from benchmark.perf.groups import GROUPS

    group, contender, *numbers = arguments
    rows, size, dim, threads = map(int, numbers)
    torch.set_num_threads(threads)
    peak = measure(GROUPS[group], contender, Shape(rows, size, dim), torch.device("cpu"))
    print(json.dumps(peak._asdict()))


if __name__ == "__main__":
    main(sys.argv[1:])
