import subprocess
import sys

import torch

from benchmark.machine import PeakMemory

CHILD = """
from types import SimpleNamespace
from benchmark.machine import PeakMemory
ballast = bytes([1]) * 100_000_000
print(PeakMemory(SimpleNamespace(type="cpu")).read())  # a device of torch would cost two seconds
"""


def test_a_child_does_not_count_its_parents_memory():
    ballast = torch.ones(1 << 27)  # 512 MB
    child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    peak = eval(child.stdout)
    own = PeakMemory(torch.device("cpu")).read()
    assert ballast.sum() > 0
    assert own["peak_rss_mb"] > 536
    assert 100 < peak["peak_rss_mb"] < 536
    assert peak["peak_cuda_mb"] is None
