"""What a wheel holds beside the code: suites, their tuned choices, published figures, lists of data, the licence."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_has_all_that_a_checkout_has(tmp_path: Path) -> None:
    source = tmp_path / "source"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if not name.startswith(("results/reference/", "tests/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    files = {path for path in tracked.splitlines() if path.startswith(("benchmark/", "methods/"))}
    code = {path for path in files if path.endswith((".py", ".csv", ".npz"))}
    suites = {f"benchmark/shipped/{path}" for path in tracked.splitlines() if path.startswith("suites/")}
    published = {f"benchmark/shipped/published/{path.name}" for path in (ROOT / "results" / "published").iterdir()}
    assert code | suites | published <= held
    assert [name for name in held if name.endswith("licenses/LICENSE")]
    assert {name.split("/")[0].split("-")[0] for name in held} == {"benchmark", "methods", "codebook_bench"}
