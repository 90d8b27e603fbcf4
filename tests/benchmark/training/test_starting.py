"""Trainings that start from what is there: weights of a run or a file, and a shorter training of the same."""

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.cli import main
from benchmark.records.files import checksum, read_rows
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.worker.__main__ import work
from benchmark.worker.execution import ChangedError
from benchmark.worker.job import Job
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]


def runs_of(write_suite: Write, content: dict[str, Any]) -> list[Run]:
    return plan_suite(write_suite(content)).runs


def do(run: Run, results: Path, **options: Any) -> dict[str, Any]:
    store = Store(results / "tiny")
    work(Job(run, str(store.folder), "cpu", 1, others=str(results), **options))
    record = store.record(run.key)
    assert record is not None
    return record


def with_steps(tiny: dict[str, Any], steps: int, **changes: Any) -> dict[str, Any]:
    return {**tiny, "training": {**tiny["training"], "steps": steps}, **changes}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["system"]


def test_a_longer_run_goes_on_where_a_shorter_one_ended_and_is_the_whole_training(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    methods = ["vq_vae_ema", "codebook_reset"]
    for short, long in zip(
        runs_of(write_suite, with_steps(tiny, 6, methods=methods)),
        runs_of(write_suite, with_steps(tiny, 12, methods=methods)),
        strict=True,
    ):
        whole = do(long, tmp_path / "whole", keep_checkpoint=True)
        do(short, tmp_path / "results", keep_checkpoint=True)
        continued = do(long, tmp_path / "results", keep_checkpoint=True)
        assert "continued" not in whole["provenance"]
        assert continued["provenance"]["continued"] == {"run": short.key, "steps": 6}
        assert continued["metrics"] == whole["metrics"]
        folders = [tmp_path / name / "tiny" / "runs" / long.key for name in ("whole", "results")]
        (first, second), rows = map(weights, folders), [read_rows(folder / "history.csv") for folder in folders]
        assert all(torch.equal(first[name], second[name]) for name in first)
        # The shorter one has a row a step; the longer one has those too, and these are the same but for the time.
        assert [{**row, "seconds": ""} for row in rows[0]] == [{**row, "seconds": ""} for row in rows[1]]


@pytest.mark.parametrize(
    ("arm", "training"),
    [
        ("vq_vae", {"schedule": "cosine"}),
        ("vq_vae", {"continuous_share": 0.5}),
        ("sq_vae", {}),
        ({"method": "gumbel_vq", "params": {"anneal_share": 1.0}}, {}),
    ],
)
def test_what_depends_on_the_length_is_trained_from_its_start(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, arm: Any, training: dict[str, Any]
) -> None:
    suite = {**tiny, "training": {**tiny["training"], **training}, "methods": [arm]}
    (short,) = runs_of(write_suite, with_steps(suite, 4))
    (long,) = runs_of(write_suite, with_steps(suite, 8))
    do(short, tmp_path, keep_checkpoint=True)
    assert "continued" not in do(long, tmp_path)["provenance"]


def test_a_shorter_run_whose_checkpoint_is_damaged_is_no_beginning(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    (short,) = runs_of(write_suite, with_steps(tiny, 4, methods=["vq_vae"]))
    (long,) = runs_of(write_suite, with_steps(tiny, 8, methods=["vq_vae"]))
    do(short, tmp_path, keep_checkpoint=True)
    (tmp_path / "tiny" / "runs" / short.key / "checkpoint.pt").write_bytes(b"PK, but no more")
    record = do(long, tmp_path)
    assert record["status"] == "ok"
    assert "continued" not in record["provenance"]


@pytest.mark.usefixtures("commands_in_process")
def test_what_went_on_is_verified_from_its_start(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for steps in (4, 7):
        (run,) = runs_of(write_suite, with_steps(tiny, steps, methods=["vq_vae"]))
        record = do(run, tmp_path / "results", keep_checkpoint=True)
    assert record["provenance"]["continued"]["steps"] == 4
    with pytest.raises(SystemExit) as ended:
        main(["verify", run.key, "--results", str(tmp_path / "results"), "--set", f"dataset.path={images}"])
    assert ended.value.code == 0, capsys.readouterr().out


def test_a_run_starts_from_the_weights_of_another(tiny: dict[str, Any], write_suite: Write, tmp_path: Path) -> None:
    (before,) = runs_of(write_suite, {**tiny, "methods": ["vq_vae"]})
    record = do(replace(before, keep="weights"), tmp_path)
    kept = tmp_path / "tiny" / "runs" / before.key / "weights.pt"
    arms = [
        {"arm": "by_key", "method": "vq_vae", "init_from": before.key},
        {"arm": "by_file", "method": "vq_vae", "init_from": f"{kept.parent}/../vq_vae-K{{codebook_size}}-s{{seed}}.pt"},
    ]
    (kept.parents[1] / "vq_vae-K8-s0.pt").write_bytes(kept.read_bytes())
    suite = {**tiny, "methods": arms, "training": {**tiny["training"], "learning_rate": 1e-12}}
    by_key, by_file = runs_of(write_suite, suite)
    assert by_key.config["init_from"] == {"run": before.key}
    assert by_file.config["init_from"] == {"sha256": checksum(kept)}
    assert len({before.key, by_key.key, by_file.key}) == 3
    for run in (by_key, by_file):
        started = do(run, tmp_path)
        assert started["provenance"]["init_from"]["sha256"] == checksum(kept)
        # At such a rate nothing moves.
        assert started["metrics"]["mse"] == pytest.approx(record["metrics"]["mse"], rel=1e-4)


def test_a_quantizer_that_starts_from_data_keeps_the_codebook_that_it_is_given(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    kmeans = {"arm": "kmeans", "method": "vq_vae", "params": {"init": "kmeans"}}
    (before,) = runs_of(write_suite, {**tiny, "methods": [kmeans]})
    do(before, tmp_path, keep_checkpoint=True)
    suite = {**tiny, "training": {**tiny["training"], "learning_rate": 1e-12}}
    (after,) = runs_of(write_suite, {**suite, "methods": [{**kmeans, "init_from": before.key}]})
    do(after, tmp_path, keep_checkpoint=True)
    old, new = (weights(tmp_path / "tiny" / "runs" / run.key) for run in (before, after))
    torch.testing.assert_close(new["quantizer.codebook"], old["quantizer.codebook"])


def test_what_can_not_be_started_from_is_one_sentence(tiny: dict[str, Any], write_suite: Write, tmp_path: Path) -> None:
    (before,) = runs_of(write_suite, {**tiny, "methods": ["vq_vae"]})
    do(before, tmp_path, keep_checkpoint=True)
    file = tmp_path / "tiny" / "runs" / before.key / "checkpoint.pt"

    def reason(method: str, size: int = 8) -> str:
        arm = {"arm": "started", "method": method, "init_from": str(file)}
        (run,) = runs_of(write_suite, {**tiny, "methods": [arm], "grid": {"codebook_size": [size]}})
        return str(do(run, tmp_path)["reason"])

    assert reason("vq_vae", 4) == (
        f"UsageError: {file} holds weights of another size: `quantizer.codebook` has the shape 8x4, not 4x4"
    )
    assert "checkpoint.pt holds the weights of another model or quantizer: it " in reason("simvq")
    (run,) = runs_of(write_suite, {**tiny, "methods": [{"method": "vq_vae", "init_from": str(file)}]})
    file.write_bytes(b"no weights")
    with pytest.raises(ChangedError, match=r"the weights .*checkpoint.pt were changed since the run was planned"):
        do(run, tmp_path)
    (run,) = runs_of(write_suite, {**tiny, "methods": [{"method": "vq_vae", "init_from": "vq_vae-K8-s0-01234567"}]})
    with pytest.raises(ChangedError, match="no run vq_vae-K8-s0-01234567 in .* has kept its weights; `training:"):
        do(run, tmp_path)
    both = {"arm": "x", "method": "simvq", "init_from": str(file), "pretrained": str(file)}
    with pytest.raises(UsageError, match="`x` has `pretrained` and is not trained; leave out its `init_from`"):
        plan_suite(write_suite({**tiny, "methods": [both]}))
    nowhere = {"method": "vq_vae", "init_from": "nowhere.pt"}
    (cell,) = plan_suite(write_suite({**tiny, "methods": [nowhere]})).cells
    assert str(cell.unavailable).startswith("`init_from` of arm `vq_vae` names nowhere.pt, which is no file and no key")


class Runs:
    """What no checkpoint needs: called while it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "array.npy": (
        lambda path: np.save(path, np.zeros((3, 4))),
        "is no checkpoint as PyTorch writes them since version",
    ),
    "text.pt": (lambda path: path.write_text("e: no weights"), "is no checkpoint as PyTorch writes them since version"),
    "empty.pt": (lambda path: path.touch(), "is no checkpoint as PyTorch writes them since version"),
    "archive.pt": (lambda path: zipfile.ZipFile(path, "w").close(), "is no checkpoint of PyTorch but another"),
    "number.pt": (lambda path: torch.save({"step": 1}, path), "holds no weights by name"),
    "tensor.pt": (lambda path: torch.save(torch.zeros(3), path), "holds no weights by name"),
    "runs.pt": (lambda path: torch.save({"a": Runs()}, path), "is refused: it wants to call"),
}


@pytest.mark.parametrize(
    ("name", "option"),
    # What a published checkpoint must hold is known with its model.
    [(name, "init_from") for name in FILES] + [(name, "pretrained") for name in FILES if "holds" not in FILES[name][1]],
)
def test_a_file_without_weights_is_one_sentence_before_anything_runs(
    name: str, option: str, tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    write, sentence = FILES[name]
    write(tmp_path / name)
    if option == "pretrained":
        tiny["model"] = {"name": "simvq", "channels": 4, "multipliers": [1, 2], "latent_dim": 6}
    (cell,) = plan_suite(write_suite({**tiny, "methods": [{"method": "simvq", option: str(tmp_path / name)}]})).cells
    assert cell.lacks_weights
    assert str(cell.unavailable).startswith(f"`{option}` of arm `simvq`: {tmp_path / name} {sentence}")
    assert "weights_only" not in str(cell.unavailable)


@pytest.mark.parametrize("name", ["", "  ", "{codebook_size}" * 200, "~nobody/weights.pt", "."])
def test_a_name_that_is_no_file_is_one_sentence(name: str, tiny: dict[str, Any], write_suite: Write) -> None:
    file = write_suite({**tiny, "methods": [{"method": "simvq", "init_from": name}]})
    if not name.strip():
        with pytest.raises(UsageError, match=r"tiny.yaml:\d+: `init_from` of arm `simvq` is empty; name a file of"):
            plan_suite(file)
        return
    (cell,) = plan_suite(file).cells
    assert "which is no file and no key of a run (simvq-K1024-s0-1a2b3c4d)" in str(cell.unavailable)


def test_a_run_to_start_from_is_looked_for_before_anything_runs(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path
) -> None:
    (before,) = runs_of(write_suite, {**tiny, "methods": ["vq_vae"]})
    file = write_suite({**tiny, "methods": ["vq_vae", {"arm": "after", "method": "vq_vae", "init_from": before.key}]})

    def after() -> Any:
        return plan_suite(file, results=tmp_path).cells[1]

    assert after().lacks_weights
    assert f"`init_from` of arm `after`: no run {before.key} in {tmp_path} has kept its weights" in after().unavailable
    do(before, tmp_path, keep_checkpoint=True)
    do(after().run, tmp_path)
    shutil.rmtree(tmp_path / "tiny" / "runs" / before.key)
    assert after().run is not None  # finished, so that it needs nothing any more
