import subprocess
import sys

import torch

from benchmark import machine
from benchmark.machine import PeakMemory, provenance

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


def test_provenance_has_the_commit_and_whether_more_than_results_differs_from_it(monkeypatch, tmp_path):
    def git(*arguments):
        author = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *author, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    def told():
        found = provenance(torch.device("cpu"))
        return found["commit"], found["dirty"]

    code, results = tmp_path / "benchmark" / "machine.py", tmp_path / "results" / "README.md"
    for file in (code, results):
        file.parent.mkdir()
        file.write_text("first")
    monkeypatch.setattr(machine, "__file__", str(code))
    assert told() == (None, None)
    git("init")
    assert told() == (None, False)
    git("add", ".")
    git("commit", "--message", "first")
    commit = git("rev-parse", "HEAD")
    results.write_text("second")
    assert told() == (commit, False)
    code.write_text("second")
    assert told() == (commit, True)
