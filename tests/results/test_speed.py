"""What docs/speed.md and the first page say of speed is what was measured."""

import re

import pandas as pd
import pytest
from findings import FIRST_PAGE, REFERENCE, ROOT

PAGE = " ".join((ROOT / "docs" / "speed.md").read_text(encoding="utf-8").split())
OURS, FAISS, PRODUCT, PACKAGE = (
    "this project",
    "faiss.knn",
    "matrix product alone",
    "bare loop, vector-quantize-pytorch",
)


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    found = pd.read_csv(REFERENCE / "perf" / "cpu" / "measurements.csv")
    return found[found["rows"].eq(6272) & found["dim"].eq(64)].set_index(["group", "contender", "size"]).sort_index()


def _ratios(measured: pd.DataFrame, group: str, contender: str) -> list[str]:
    ratios = measured.loc[(group, contender), "ratio"]
    return [f"{ratios[size]:.1f}" for size in sorted(ratios.index)]


@pytest.mark.parametrize(("method", "named"), [("simvq", "SimVQ"), ("codebook_reset", "codebook reset")])
def test_searches_in_trained_codebooks(measured, method, named):
    faiss, product = (_ratios(measured, f"{method}_trained", contender) for contender in (FAISS, PRODUCT))
    rows = PAGE.split(f"| {named}, trained |")[1].split("| 262,144 |")
    cells = re.findall(r"\(× ([\d.]+)\)", rows[0] + rows[1][:80])
    assert cells[:8] == [ratio for pair in zip(faiss, product, strict=True) for ratio in pair]
    [aimed] = re.findall(rf"search, trained {named}[^|]*\|[^|]*\| × ([\d. /]+)", PAGE)
    assert aimed.strip().split(" / ") == faiss


def test_whole_steps(measured):
    steps = _ratios(measured, "training", PACKAGE)
    assert f"× {steps[1]} and × {steps[2]}, 186 MB beyond the inputs" in PAGE
    seconds = measured["seconds"]
    groups = {
        "SimVQ": "training",
        "averages": "training_vq_vae_ema",
        "reset": "training_codebook_reset",
        "CVQ-VAE": "training_cvq_vae",
    }
    for method, group in groups.items():
        assert f"{method} × {seconds[group, OURS, 262144] / seconds[group, OURS, 1024]:.1f}" in PAGE


def test_the_first_page(measured):
    faiss, steps = _ratios(measured, "simvq_trained", FAISS), measured.loc[("training", OURS), "seconds"]
    assert f"{faiss[0]} times as fast as faiss's at 1,024 codewords and {float(faiss[3]):.0f} times" in FIRST_PAGE
    said = f"costs {steps[262144] / steps[1024]:.1f} times as much as at 1,024"
    theirs = float(measured.loc[("training", PACKAGE, 262144), "ratio"])
    assert f"{said} and a {theirs:.0f}th of vector-quantize-pytorch's" in FIRST_PAGE
