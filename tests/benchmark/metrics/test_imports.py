"""Choosing metrics by name must not cost the seconds that torchmetrics and its like take to import."""

import subprocess
import sys

SCRIPT = """
import sys
import benchmark.metrics, benchmark.metrics.catalogue
print(benchmark.metrics.metrics.available())
heavy = ("torchmetrics", "lpips", "torchvision", "torch_fidelity", "scipy", "PIL", "librosa", "matplotlib")
print([name for name in heavy if name in sys.modules])
"""


def test_names_are_known_without_the_heavy_packages():
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[:2] == ["['audio', 'image', 'latents']", "[]"]


CATALOGUE = """
import sys, types
package = types.ModuleType("methods")  # whatever that imports, the catalogue itself needs two functions of it
package.__path__ = ["methods"]
sys.modules["methods"] = package
import benchmark.metrics.catalogue
print([name for name in ("torch", "numpy", "pandas", "pydantic") if name in sys.modules])
"""


def test_the_catalogue_needs_no_torch():
    result = subprocess.run([sys.executable, "-c", CATALOGUE], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
