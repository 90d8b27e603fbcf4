"""The table of the sensitivity of metrics, of a few dozen images that stand for Fashion-MNIST."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmark import cli
from benchmark.data import Dataset
from benchmark.data.fashion_mnist import Labels
from benchmark.sensitivity import report
from benchmark.sensitivity.changes import CHANGES

SOME = ("identical copies", "Gaussian noise, σ = 32 grey levels", "shift by 2 px", "training images")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of the tables after ``python -m benchmark sensitivity``."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    corners = torch.rand(48, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    images = (255 * torch.nn.functional.interpolate(corners, size=28, mode="bilinear")).to(torch.uint8)
    classes = torch.arange(24) % 10
    monkeypatch.setattr(
        report.datasets, "create", lambda *_: Dataset(train=images[24:], validation=images[:0], test=images[:24])
    )
    monkeypatch.setattr(report, "labels", lambda: Labels(classes, classes[:0], classes))
    monkeypatch.setattr(report, "CHANGES", tuple(change for change in CHANGES if change.label in SOME))
    with pytest.raises(SystemExit) as ended:
        cli.main(["sensitivity", "--results", str(tmp_path / "results")])
    assert ended.value.code == 0
    folder = tmp_path / "results" / "sensitivity" / "tables"
    printed = capsys.readouterr()
    assert printed.out.split() == [str(folder / f"sensitivity.{suffix}") for suffix in ("md", "csv", "tex")]
    assert "sensitivity: shift by 2 px (3 of 4)" in printed.err
    return folder


def test_table(written: Path) -> None:
    data = pd.read_csv(written / "sensitivity.csv", index_col="change")
    assert tuple(data.index) == SOME
    assert set(data["n_images"]) == {24}
    same, noise, shifted, other = (data.loc[label] for label in SOME)
    assert (same["mse"], same["psnr"], same["class_agreement"]) == (0, 100, 1)
    assert same["lpips_alex_64px"] == pytest.approx(0, abs=1e-6)
    assert noise["psnr"] == pytest.approx(18.5, abs=0.5)  # 20 log10(255 / 32), and a little is cut off
    assert shifted["mse"] > 0
    assert noise["kid_fashion_classifier"] > same["kid_fashion_classifier"]
    unpaired = ["mse", "psnr", "ssim", "class_agreement", "lpips_alex_64px"]
    assert other[unpaired].isna().all()
    assert other[["kid_fashion_classifier", "kid_efficientnet_lite0"]].notna().all()

    text = (written / "sensitivity.md").read_text()
    assert "N = 24 images in every column." in text
    assert "FD (Fashion-MNIST classifier) withheld: 24 images are fewer than twice the 64 features." in text
    assert "LPIPS (AlexNet, 64 px): weights `443c5bc35326`" in text
    identical = next(line for line in text.splitlines() if "identical copies" in line and line.startswith("|"))
    assert [cell.strip() for cell in identical.split("|")[2:6]] == ["0.00000", "100.00", "1.000", "100.0"]
