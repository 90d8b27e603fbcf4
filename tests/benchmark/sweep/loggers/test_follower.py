"""What a logger is given of a sweep; TensorBoard and Weights & Biases where they are installed."""

import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.cli import main
from benchmark.records.files import read_rows
from benchmark.records.run import Run
from benchmark.records.store import Store
from benchmark.suite.plan import plan_suite
from benchmark.sweep.display import Display
from benchmark.sweep.launchers import Launcher
from benchmark.sweep.loggers import Follower, Logger, follow
from benchmark.sweep.runner import Settings, run_plan

Write = Callable[[dict[str, object] | str], str]


class Unreachable(Exception):  # noqa: N818
    """What a logger raises that sends its runs away."""


class Remembered:
    """A logger that keeps what it is given, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "remembered"
        self.failures: tuple[type[Exception], ...] = (OSError, Unreachable)
        self.told: list[tuple[Any, ...]] = []

    def begin(self, run: Run) -> None:
        self.told.append(("begin", run.key))

    def scalars(self, run: Run, step: int, values: Mapping[str, float]) -> None:
        self.told.append(("scalars", run.key, step, dict(values)))

    def curve(self, run: Run, name: str, points: Iterable[tuple[int, float]]) -> None:
        self.told.append(("curve", run.key, name, list(points)))

    def sample(self, run: Run, path: Path) -> None:
        self.told.append(("sample", run.key, path.name))

    def end(self, run: Run, metrics: Mapping[str, float]) -> None:
        self.told.append(("end", run.key, dict(metrics)))


def sweep(suite: str, store: Store, launcher: Launcher, logger: Logger) -> list[str]:
    """Do what is left; what was noted."""
    notes: list[str] = []
    follower = Follower(logger, store, notes.append)
    run_plan(plan_suite(suite), store, launcher, Settings("cpu", threads=1), Display(quiet=True), follower=follower)
    return notes


def test_a_logger_is_given_curves_counts_samples_and_metrics_once(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, in_process: Launcher
) -> None:
    suite, store = write_suite({**tiny, "methods": ["vq_vae", "no_quantization"]}), Store(tmp_path / "results" / "tiny")
    logger = Remembered(store.folder)
    assert sweep(suite, store, in_process, logger) == []
    for run in plan_suite(suite).runs:
        own = [told for told in logger.told if told[1] == run.key]
        kinds = [told[0] for told in own]
        coded = run.config["method"] == "vq_vae"
        assert kinds == ["begin", *["scalars"] * 5, *["curve"] * coded, "sample", "end"]
        folder, record = store.record_path(run.key).parent, store.record(run.key)
        assert record is not None
        rows = read_rows(folder / "history.csv")
        assert [told[2] for told in own if told[0] == "scalars"] == [int(row["step"]) for row in rows]
        assert own[5][3]["validation_error"] == float(rows[-1]["validation_error"])
        assert own[-1][2]["mse"] == record["metrics"]["mse"]
        if coded:
            (counts,) = np.load(folder / "counts.npz").values()
            (points,) = (told[3] for told in own if told[0] == "curve")
            assert points[0] == (1, pytest.approx(counts.max() / counts.sum() * 8))
    # A later call gives what it was not given yet, and nothing twice.
    again, before = Remembered(store.folder), len(logger.told)
    sweep(suite, store, in_process, again)
    assert again.told == []
    again.folder = tmp_path / "another"
    sweep(suite, store, in_process, again)
    assert len(again.told) == before


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (TimeoutError("no answer in 90 s"), "no answer in 90 s"),
        (Unreachable("no such server"), "no such server"),
    ],
    ids=["disk", "time", "server"],
)
def test_a_logger_that_can_not_write_is_left_alone_and_the_runs_go_on(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, in_process: Launcher, error: Exception, reason: str
) -> None:
    class Full(Remembered):
        def scalars(self, run: Run, step: int, values: Mapping[str, float]) -> None:
            raise error

    suite, store = write_suite(tiny), Store(tmp_path / "results" / "tiny")
    logger = Full(store.folder)
    notes = sweep(suite, store, in_process, logger)
    assert notes == [f"{logger.folder} can't be written ({reason}); the runs go on without it"]
    assert [told[0] for told in logger.told] == ["begin"]
    assert all(store.record(run.key) for run in plan_suite(suite).runs)


def test_a_package_that_is_not_there_is_one_sentence(
    tiny: dict[str, Any],
    write_suite: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(SystemExit) as ended:
        main(["run", write_suite(tiny), "--log", "wandb", "--results", str(tmp_path / "results")])
    assert ended.value.code == 2
    told = "error: this needs the package of `wandb`, which is not installed: pip install 'codebook-bench[wandb]'"
    assert told in capsys.readouterr().err


def test_without_a_key_that_is_said_before_anything_is_trained(
    tiny: dict[str, Any],
    write_suite: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed").teardown()  # which knows the last mode
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        main(["run", write_suite(tiny), "--log", "wandb", "--results", str(tmp_path / "results")])
    assert ended.value.code == 2
    assert "error: --log wandb: No API key configured" in capsys.readouterr().err
    assert not list((tmp_path / "results").glob("tiny/runs/*"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_a_folder_a_run(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, in_process: Launcher
) -> None:
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    suite, store = write_suite(tiny), Store(tmp_path / "results" / "tiny")
    follower = follow("tensorboard", store, pytest.fail)
    run_plan(plan_suite(suite), store, in_process, Settings("cpu", threads=1), Display(quiet=True), follower=follower)
    for run in plan_suite(suite).runs:
        record = store.record(run.key)
        assert record is not None
        seen = EventAccumulator(str(store.folder / "tensorboard" / run.key))
        seen.Reload()
        assert [event.step for event in seen.Scalars("training/loss")] == list(range(1, 6))
        (mse,) = seen.Scalars("test/mse")
        assert mse.value == pytest.approx(record["metrics"]["mse"])
        assert seen.Scalars("rank_frequency/level_1")[0].step == 1
        assert seen.Tags()["images"] == ["samples/samples"]


@pytest.mark.slow
def test_wandb_writes_offline(
    tiny: dict[str, Any], write_suite: Write, tmp_path: Path, in_process: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed").teardown()
    monkeypatch.setenv("WANDB_MODE", "offline")
    suite, store = write_suite(tiny), Store(tmp_path / "results" / "tiny")
    follower = follow("wandb", store, pytest.fail)
    run_plan(plan_suite(suite), store, in_process, Settings("cpu", threads=1), Display(quiet=True), follower=follower)
    assert len(list((store.folder / "wandb").glob("offline-run-*/*.wandb"))) == 2
