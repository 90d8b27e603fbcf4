"""Nothing is written through a link in a results folder, and no pipe there is waited for."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.records.plan import BadPlanError, read_plan
from benchmark.records.store import Store
from benchmark.report.mark import MARK, is_whole
from benchmark.report.write import write_reports
from benchmark.suite.plan import plan_suite
from benchmark.suite.plan_file import write_plan
from benchmark.training.checkpoint import BadCheckpointError, load_checkpoint
from methods import UsageError

Write = Callable[[dict[str, object] | str], str]
KEY = "vq_vae-K8-s0-0123abcd"
FAST = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SLOW = settings(FAST, max_examples=10_000)
NAMES = ("record.json", "checkpoint.pt", "samples.png", ".claim", ".left", "samples", "snapshots.npz")
KINDS = ("file", "link out", "link in", "loop", "dangling", "pipe", "folder", "link to folder")


def place(path: Path, kind: str, outside: Path) -> None:
    """Something odd at ``path``."""
    match kind:
        case "file":
            path.write_text("rubbish")
        case "link out":
            path.symlink_to(outside / "kept")
        case "link in":
            path.symlink_to(path.with_name("record.json"))
        case "loop":
            path.symlink_to(path)
        case "dangling":
            path.symlink_to(outside / "nothing")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link to folder":
            path.symlink_to(outside)


def outside_of(folder: Path) -> Path:
    outside = folder / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "kept").write_text("kept")
    (outside / ".hidden").write_text("kept")
    return outside


def linked(folder: Path, part: str) -> tuple[Path, Path, Path]:
    """Results below ``folder`` of which a ``part`` is a link: these, the link, and where it leads."""
    outside, results = outside_of(folder), folder / "results" / "tiny"
    link = results / part
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    return results, link, outside


@pytest.mark.parametrize("part", ["", "runs", f"runs/{KEY}"])
def test_a_folder_of_results_that_is_a_link_is_named(part: str, tmp_path: Path) -> None:
    folder, link, outside = linked(tmp_path, part)
    with pytest.raises(UsageError, match=rf"^{link} is a link; a run writes into the results folder alone"):
        Store(folder).tidy(KEY)
    assert sorted(os.listdir(outside)) == [".hidden", "kept"]


@pytest.mark.parametrize("part", ["", "tables", "plots"])
def test_reports_are_not_written_through_a_link(part: str, tmp_path: Path) -> None:
    folder, link, outside = linked(tmp_path, part)
    with pytest.raises(UsageError, match=rf"^{link} is a link"):
        write_reports([folder])
    assert sorted(os.listdir(outside)) == [".hidden", "kept"]


def test_pipes_in_place_of_files_are_not_waited_for(
    tmp_path: Path, write_suite: Write, tiny: dict[str, object]
) -> None:
    for name in ("plan.json", MARK, ".plan.lock", "checkpoint.pt"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(BadPlanError, match="no file but a pipe"):
        read_plan(tmp_path / "plan.json")
    assert not is_whole(tmp_path)
    with pytest.raises(BadCheckpointError, match="no file but a pipe"):
        load_checkpoint(tmp_path / "checkpoint.pt", None)  # type: ignore[arg-type]
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="can't be written"):
        write_plan(plan_suite(write_suite(tiny)), store)


def check_run_folder(entries: dict[str, str], folder: Path) -> None:
    """Do with a run's folder of odd things what runner, worker and reports do."""
    outside = outside_of(folder)
    results = folder / "results"
    own = results / "runs" / KEY
    own.mkdir(parents=True)
    for name, kind in entries.items():
        place(own / name, kind, outside)
    store = Store(results)
    with suppress(UsageError):
        store.is_claimed(KEY)
        store.fingerprint(KEY)
        assert store.record(KEY) is None
        with store.claim(KEY):
            store.tidy(KEY)
        store.write_record(KEY, {"status": "ok"})
        store.thin(KEY, {"schema": 2}, ["samples", "samples.png"])
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"kept": "kept", ".hidden": "kept"}


odd_folders = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(KINDS), max_size=4)


@FAST
@given(entries=odd_folders)
def test_folders_of_runs(entries: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    check_run_folder(entries, tmp_path_factory.mktemp("odd"))


@pytest.mark.slow
@SLOW
@given(entries=odd_folders)
def test_ten_thousand_folders_of_runs(entries: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    check_run_folder(entries, tmp_path_factory.mktemp("odd"))
