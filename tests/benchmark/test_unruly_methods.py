"""Whatever a method prints, raises, starts or ends with, the sweep goes on and its other runs are as good as ever."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.worker.__main__ import work
from benchmark.worker.execution import classify
from benchmark.worker.job import Job
from methods import UsageError, load_plugin

Write = Callable[[dict[str, object] | str], str]
PLUGIN = Path(__file__).with_name("unruly_plugin.py")


def suite_of(numbers: range, quiet: bool) -> dict[str, Any]:
    arms = [
        {"arm": f"u{number}", "method": "unruly", "params": {"number": number, "quiet": quiet}} for number in numbers
    ]
    return {
        "question": "Does it hold?",
        "dataset": {"name": "planted", "kind": "clustered", "test_items": 64},
        "model": "identity",
        "training": {"steps": 20, "batch_size": 8, "learning_rate": 1e-3, "timeout": 60.0},
        "seeds": 1,
        "grid": {"codebook_size": [8]},
        "methods": [*arms, "vq_vae"],
    }


@pytest.mark.usefixtures("own_registries")
@pytest.mark.parametrize("place", ["init", "size"])
def test_what_can_not_be_built_is_a_sentence(place: str, write_suite: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    load_plugin(PLUGIN)
    monkeypatch.setenv("UNRULY", place)
    for number in range(40):
        with pytest.raises(
            UsageError, match=r"method `unruly` can't be built: (?s:.*) \(unruly_plugin.py, line \d+\)$"
        ):
            plan_suite(write_suite(suite_of(range(number, number + 1), quiet=True)))


def check_exceptions(count: int, write_suite: Write, results: Path) -> None:
    load_plugin(PLUGIN)
    plan = plan_suite(write_suite(suite_of(range(count), quiet=True)))
    store = Store(results)
    for run in plan.runs:
        work(Job(run, str(store.folder), "cpu", 1))
        record = store.record(run.key)
        assert record is not None
        if run.config["method"] == "vq_vae":
            assert record["status"] == "ok"
            continue
        assert record["status"] in ("failed", "out_of_memory")
        assert record["reason"]
        assert len(record["reason"]) < 3_000


@pytest.mark.usefixtures("own_registries")
def test_every_exception_is_a_record(write_suite: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNRULY", "yes")
    check_exceptions(24, write_suite, tmp_path / "results")


@pytest.mark.usefixtures("own_registries")
def test_every_exception_has_a_reason() -> None:
    load_plugin(PLUGIN)
    for error in sys.modules["codebook_bench_plugin_unruly_plugin"].ERRORS:
        status, reason = classify(error)
        assert status == ("out_of_memory" if isinstance(error, MemoryError) else "failed")
        assert 0 < len(reason) < 3_000


@pytest.mark.slow
def test_thirty_unruly_processes(write_suite: Write, tmp_path: Path) -> None:
    """Two minutes on two idle cores."""
    suite = write_suite(suite_of(range(30), quiet=False))
    results = tmp_path / "results"
    command = [sys.executable, "-m", "benchmark", "run", suite, "--results", str(results), "--plugin", str(PLUGIN)]
    environment = {**os.environ, "UNRULY": "yes", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [*command, "--device", "cpu", "--jobs", "2"], env=environment, capture_output=True, timeout=1800
    )
    shown = (ended.stdout + ended.stderr).decode()
    assert ended.returncode in (0, 1), shown[-3000:]
    assert "Traceback" not in shown
    assert "\x1b]0;mine" not in shown
    load_plugin(PLUGIN)
    store = Store(results / "tiny", read_only=True)
    records = {run.key: store.record(run.key) for run in plan_suite(suite).runs}
    lost = [key for key, record in records.items() if record is None]
    assert not lost
    assert {record["status"] for record in records.values() if record} <= {"ok", "failed", "out_of_memory", "timeout"}
    (ours,) = (record for key, record in records.items() if key.startswith("vq_vae"))
    assert ours is not None
    assert ours["status"] == "ok"
