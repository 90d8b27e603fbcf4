"""A record is run again and every number compared; what can't be compared is one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.cli import main
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.worker.__main__ import work
from benchmark.worker.job import Job

Write = Callable[[dict[str, object] | str], str]


@pytest.fixture(scope="module")
def finished(tiny_as_it_is: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one run, to be left as they are."""
    folder = tmp_path_factory.mktemp("finished")
    suite = folder / "tiny.yaml"
    suite.write_text(yaml.safe_dump({**tiny_as_it_is, "methods": ["vq_vae_ema"]}))
    (run,) = plan_suite(str(suite)).runs
    work(Job(run, str(folder / "results" / "tiny"), "cpu", 1))
    return folder / "results"


@pytest.fixture
def record(finished: Path, tmp_path: Path) -> Path:
    """Of a finished run, in a copy of its results."""
    (path,) = shutil.copytree(finished, tmp_path / "results").glob("tiny/runs/*/record.json")
    return path


def _verify(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["verify", *arguments])
    assert isinstance(end.value.code, int)
    return end.value.code


def _change(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        section = content
        for parent in parents:
            section = section[parent]
        section[last] = value
    Store(path.parents[2]).write_record(path.parent.name, content)


@pytest.mark.usefixtures("commands_in_process")
def test_a_run_comes_out_again_to_the_last_digit_and_a_changed_number_is_found(
    record: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [record.parent.name, "--results", str(tmp_path / "results"), "--set", f"dataset.path={images}"]
    assert _verify(*arguments) == 0
    assert "numbers are the same to the last digit" in capsys.readouterr().out
    mse = json.loads(record.read_text())["metrics"]["mse"]
    _change(record, metrics__mse=mse + 1e-12, provenance__commit="0123", provenance__data__test_sha256="beef")
    assert _verify(str(record.parent), *arguments[1:]) == 1
    out = capsys.readouterr().out
    assert f"mse: recorded {mse + 1e-12}, now {mse}" in out
    assert "commit: recorded with 0123, now " in out
    assert "test data: recorded with beef, now " in out
    assert "1 of " in out


@pytest.fixture
def prior(tiny: dict[str, object], write_suite: Write, tmp_path: Path) -> Path:
    """The record of a prior, whose tokenizer lies beside it."""
    pytest.importorskip("x_transformers", reason="needs x-transformers, of the extra [generation]")
    generation = {
        "prior": {"name": "transformer", "layers": 1, "width": 8, "heads": 2},
        "training": {"steps": 3, "batch_size": 8},
        "sampling": {"images": 8},
    }
    store = Store(tmp_path / "results" / "tiny")
    runs = plan_suite(write_suite({**tiny, "methods": ["vq_vae_ema"], "generation": generation})).runs
    for run in runs:
        work(Job(run, str(store.folder), "cpu", 1))
    return store.record_path(runs[-1].key)


@pytest.mark.usefixtures("commands_in_process")
def test_a_prior_comes_out_again_by_the_weights_of_its_tokenizer_or_those_of_a_new_training(
    prior: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [prior.parent.name, "--results", str(tmp_path / "results"), "--set", f"dataset.path={images}"]
    assert _verify(*arguments) == 0
    out = capsys.readouterr().out
    assert "numbers are the same to the last digit" in out
    assert "tokenizer: " not in out

    tokenizer = prior.parents[1] / json.loads(prior.read_text())["provenance"]["tokenizer"]
    (tokenizer / "weights.pt").write_bytes(b"other")
    nll = json.loads(prior.read_text())["metrics"]["nll"]
    _change(prior, metrics__nll=nll + 1e-12)
    assert _verify(*arguments) == 1
    out = capsys.readouterr().out
    assert "tokenizer: recorded with the weights that it kept, now those of a new training" in out
    assert f"nll: recorded {nll + 1e-12}, now {nll}" in out
    assert "1 of " in out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"status": "timeout"}, "did not end well (timeout)"),
        ({"config__seed": 7}, "its configuration is not the one that its key names"),
        ({"provenance__device": "Some GPU"}, "was made on Some GPU, and PyTorch sees no CUDA device here"),
    ],
)
def test_a_record_that_can_not_be_verified(
    change: dict[str, Any], sentence: str, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _change(record, **change)
    assert _verify(str(record)) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["record.json", "history.csv", "counts.npz"])
def test_a_damaged_run_is_not_verified(name: str, record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = record.parent / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    assert _verify(str(record)) == 2
    assert capsys.readouterr().err == f"error: {path} is not what its run wrote\n"


def test_the_data_must_be_those_of_the_record(
    record: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _verify(str(record)) == 2
    assert "a record holds no paths, name it with --set dataset.path=FOLDER" in capsys.readouterr().err
    other = tmp_path / "other"
    shutil.copytree(images, other)
    (other / "00.png").unlink()
    assert _verify(str(record), "--set", f"dataset.path={other}") == 2
    assert "other content" in capsys.readouterr().err


@pytest.mark.parametrize("run", ["simvq-K8-s0-00000000", "nowhere"])
def test_a_run_that_is_not_there(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verify(run, "--results", str(tmp_path)) == 2
    assert "error: " in capsys.readouterr().err
