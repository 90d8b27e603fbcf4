"""The command that a run's dialog shows: what `verify` takes, and nothing that a shell would read otherwise."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.report.frame import read
from benchmark.report.page.again import commands, refused

Make = Callable[..., "SyntheticResults"]  # noqa: F821 - of conftest.py, which is no module
WELL = {"status": "ok", "config": {}}


def test_a_run_is_verified_where_it_lies(synthetic: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False, name="results/invented")
    found = commands(read(Path("results/invented")))
    assert found == {
        "verify": "RUN=results/invented/runs/",
        "bench": "make bench SUITE=invented_scaling RESULTS=again",
    }


def test_what_a_shell_would_read_otherwise_is_left_out(
    synthetic: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    made = synthetic(("vq_vae",), sizes=(256,), seeds=1, artefacts=False, name="results/a; rm b")
    made.edit_plan(suite="$(reboot)")
    assert commands(read(Path("results/a; rm b"))) == {"verify": "RUN=", "bench": "make bench SUITE=... RESULTS=again"}
    assert commands(read(made.folder))["verify"] == "RUN="


def test_what_verify_refuses_is_said():
    keys = ("tokenizer", "measured", "pretrained", "init_from")
    found = refused([WELL, *({**WELL, "config": {key: "x"}} for key in keys), {"status": "failed", "config": {}}])
    assert list(found) == [2, 3, 4, 5]  # a prior is verified like any other run
    assert found[2] == "It was measured from files made elsewhere"
    assert found[5].startswith("It did not end well")
