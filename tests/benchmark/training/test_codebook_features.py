"""Features for `vqgan_lc`: the clustering, and the command from a data set to a method that uses them."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmark import cli
from benchmark.data import datasets
from benchmark.training.codebook_features import allocate, cached_features, cluster, distinct, make_features
from methods import UsageError, create


def test_seats_are_shared_by_size_and_never_exceed_it():
    assert allocate(torch.tensor([50, 30, 20]), 10) == [5, 3, 2]
    assert allocate(torch.tensor([1, 1, 1]), 2) == [1, 1, 0]
    assert allocate(torch.tensor([7, 0, 3]), 10) == [7, 0, 3]


def test_distinct_rows():
    rows = torch.tensor([[1.0, 2], [3, 4], [1, 2], [1, 2.5], [3, 4]])
    assert sorted(distinct(rows).tolist()) == [[1, 2], [1, 2.5], [3, 4]]


def test_planted_clusters_are_found():
    generator = torch.Generator().manual_seed(0)
    planted = 100 * torch.randn(9, 5, generator=generator)
    rows = (planted[:, None] + torch.randn(9, 40, 5, generator=generator)).flatten(0, 1)
    torch.manual_seed(0)
    centres = cluster(rows, 36)
    assert centres.shape == (36, 5)
    assert len(centres.unique(dim=0)) == 36
    # Each planted cluster holds a ninth of the rows and gets some four centres, all inside it.
    nearest = torch.cdist(centres, planted).min(1)
    assert set(nearest.indices.bincount(minlength=9).tolist()) <= {2, 3, 4, 5, 6}
    assert float(nearest.values.max()) < 5


def _command(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["features", *arguments])
    return exit_.value.code


def test_command_writes_features_that_the_method_takes(tmp_path, capsys):
    out = str(tmp_path / "made" / "{codebook_size}.npy")
    assert _command(["photos", "--codebook-size", "16", "20", "--out", out, "--set", "test_items=8"]) == 0
    assert "20 features in" in capsys.readouterr().out
    for size in (16, 20):
        features = np.load(out.replace("{codebook_size}", str(size)))
        assert features.shape == (size, 1280)
        assert features.dtype == np.float32
        assert np.abs(features.mean(0)).max() < 1e-6
        assert np.square(features).sum(1).mean() == pytest.approx(1, rel=1e-5)
        quantizer = create("vqgan_lc", size, 8, features=out)
        assert torch.equal(quantizer.features, torch.from_numpy(features))
    assert _command(["photos", "--codebook-size", "16", "--out", out.replace("made", "again")]) == 0
    one, other = (np.load(out.replace("made", name).replace("{codebook_size}", "16")) for name in ("made", "again"))
    assert np.array_equal(one, other)
    with pytest.raises(UsageError, match="there is no file of features"):
        create("vqgan_lc", 64, 8, features=out)


def test_a_run_makes_its_features_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dataset = datasets.create("photos", {"test_items": 8})
    device = torch.device("cpu")
    torch.manual_seed(5)
    features = cached_features(dataset, 16, device)
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(features, make_features(dataset, 16, device))
    monkeypatch.setattr("benchmark.training.codebook_features.make_features", None)
    assert torch.equal(cached_features(dataset, 16, device), features)
    with pytest.raises(UsageError, match="made of images, not of speech"):
        cached_features(dataclasses.replace(dataset, modality="speech"), 16, device)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo", "--codebook-size", "4", "--out", "x.npy"], "did you mean `photos`"),
        (["photos", "--codebook-size", "0", "--out", "x.npy"], "at least 1"),
        (["photos", "--codebook-size", "4", "--out", "x.bin"], "must end in .npy"),
        (["photos", "--codebook-size", "4", "8", "--out", "x.npy"], "needs {codebook_size}"),
        (["photos", "--codebook-size", "4", "--out", "x.npy", "--set", "a"], "KEY=VALUE"),
    ],
)
def test_bad_arguments(arguments, message, capsys):
    assert _command(arguments) == 2
    assert message in capsys.readouterr().err
