import subprocess
import sys

import torch

from benchmark.machine import PeakMemory


def test_a_child_does_not_count_its_parents_memory():
    ballast = torch.ones(1 << 27)  # 512 MB
    code = "import torch; from benchmark.machine import PeakMemory; print(PeakMemory(torch.device('cpu')).read())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak = eval(child.stdout)
    own = PeakMemory(torch.device("cpu")).read()
    assert ballast.sum() > 0
    assert own["peak_rss_mb"] > 536
    assert 100 < peak["peak_rss_mb"] < own["peak_rss_mb"] - 100
    assert peak["peak_cuda_mb"] is None
